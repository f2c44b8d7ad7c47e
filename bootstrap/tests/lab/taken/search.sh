#!/bin/bash
# What somebody with root on a host finds there: private keys and what they open, credentials of administrators, the data of etcd.
# One line a find, its parts separated by tabs. Every file system that holds files is read, those in memory included, and the
# environment and the arguments of every process.
export LC_ALL=C
work=$(mktemp -d /root/search.XXXXXX)
trap 'rm -rf "$work"' EXIT
kept=(\( -fstype proc -o -fstype sysfs -o -fstype cgroup -o -fstype cgroup2 -o -fstype devpts -o -fstype mqueue -o -path "$work" \) -prune -o -type f)
private='-----BEGIN [A-Z ]*PRIVATE KEY-----'
certificate='-----BEGIN CERTIFICATE-----'
# Either of them in base64, as kubeconfigs and Secrets hold it.
encoded='LS0tLS1CRUdJTi[A-Za-z0-9+/]*=*'

# Writes each block of a text that begins so to a file of its own; line ends may be escaped, as in JSON.
blocks() { # the first line, the text
	sed 's/\\n/\n/g' "$2" | awk -v first="$1" -v folder="$work" '
		match($0, first) { file = folder "/block" ++count; inside = 1; $0 = substr($0, RSTART) }
		inside { print > file }
		/-----END/ { inside = 0 }'
}

# The private keys in a text, each with the digest of its public half, and that half as SSH writes it.
keys() { # where it was found, the text
	blocks "$private" "$2"
	for key in "$work"/block*; do
		[ -e "$key" ] || continue
		chmod 600 "$key"
		digest=$(openssl pkey -in "$key" -passin pass: -pubout -outform DER 2> /dev/null | sha256sum | cut -c1-64)
		public=$(ssh-keygen -y -P '' -f "$key" 2> /dev/null < /dev/null | cut -d ' ' -f 1,2)
		printf 'key\t%s\t%s\t%s\n' "$1" "$digest" "${public:--}"
		rm "$key"
	done
}

# Certificates in a text that make their bearer an administrator of the cluster.
administrators() { # where it was found, the text
	blocks "$certificate" "$2"
	for one in "$work"/block*; do
		[ -e "$one" ] || continue
		subject=$(openssl x509 -in "$one" -noout -subject 2> /dev/null)
		case $subject in
			*system:masters* | *kubeadm:cluster-admins*) printf 'administrator\t%s\t%s\n' "$1" "$subject" ;;
		esac
		rm "$one"
	done
}

look() { # where it was found, the text
	keys "$1" "$2"
	administrators "$1" "$2"
	grep --text --only-matching --regexp="$encoded" "$2" | while read -r word; do
		printf '%s' "$word" | base64 --decode > "$work/decoded" 2> /dev/null
		keys "$1" "$work/decoded"
		administrators "$1" "$work/decoded"
		rm -f "$work/decoded"
	done
}

find / "${kept[@]}" -size +0 -print0 > "$work/files"
printf 'files\t%s\n' "$(tr -dc '\0' < "$work/files" | wc -c)"
xargs --null grep --files-with-matches --null --text --regexp="$private" --regexp="$certificate" --regexp="$encoded" < "$work/files" 2> /dev/null |
	while IFS= read -r -d '' file; do look "$file" "$file"; done

# The data of etcd are bolt's, as containerd's own records are; the keys of the cluster are only in theirs, and in the logs of writes.
xargs --null grep --files-with-matches --null --text --fixed-strings --regexp=/registry/ < "$work/files" 2> /dev/null |
	while IFS= read -r -d '' file; do
		magic=$(od --address-radix=n --format=x4 --skip-bytes=16 --read-bytes=4 "$file" 2> /dev/null | tr -d ' ')
		case $magic$file in
			ed0cdaed* | *.wal) printf 'etcd\t%s\n' "$file" ;;
		esac
	done

for process in /proc/[0-9]*; do
	for part in environ cmdline; do
		tr '\0' '\n' < "$process/$part" > "$work/part" 2> /dev/null
		grep --quiet --text --regexp="$private" --regexp="$encoded" "$work/part" && look "$process/$part" "$work/part"
	done
done
echo done
