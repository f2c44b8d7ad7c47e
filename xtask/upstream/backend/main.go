// A web server behind an ingress, for tests: it logs who asked, and answers with its own name.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	name, _ := os.Hostname()
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		log.Printf("host=%q path=%q peer=%q forwarded_for=%q forwarded_proto=%q", request.Host, request.URL.Path,
			request.RemoteAddr, request.Header.Get("X-Forwarded-For"), request.Header.Get("X-Forwarded-Proto"))
		fmt.Fprintf(response, "%s host=%s path=%s forwarded_for=%s\n", name, request.Host, request.URL.Path,
			request.Header.Get("X-Forwarded-For"))
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
