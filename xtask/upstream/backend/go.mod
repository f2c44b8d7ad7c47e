module garboard/upstream/backend

go 1.26.0
