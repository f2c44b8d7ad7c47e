# A small archive of packages in the host itself, and the host's only source: nothing here reaches another network.
set -eu
mkdir -p /srv/archive /srv/build
cd /srv/build

# pack NAME DEPENDS: what lies in the folder NAME becomes a package.
pack() {
    mkdir -p "$1/DEBIAN"
    {
        echo "Package: $1"
        echo "Version: 1.0"
        echo "Architecture: all"
        echo "Maintainer: Somebody <somebody@example.org>"
        [ -z "$2" ] || echo "Depends: $2"
        echo "Description: a package of a test"
    } >"$1/DEBIAN/control"
    [ ! -f "$1/etc/$1.conf" ] || echo "/etc/$1.conf" >"$1/DEBIAN/conffiles"
    dpkg-deb --root-owner-group --build "$1" /srv/archive >/dev/null
}

mkdir -p greeter-data/usr/share/greeter greeter/etc greeter/usr/lib/systemd/system
echo "hello" >greeter-data/usr/share/greeter/words
echo "loud = no" >greeter/etc/greeter.conf
cat >greeter/usr/lib/systemd/system/greeter.service <<'END'
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
END
pack greeter-data ""
pack greeter greeter-data
mkdir -p visitor/usr/share/visitor
pack visitor greeter-data

# Its installation goes on until somebody writes into its pipe.
mkdir -p slow/DEBIAN
printf '#!/bin/sh\nset -e\n[ -p /run/slow ] || mkfifo /run/slow\nread word </run/slow\n' >slow/DEBIAN/postinst
chmod 755 slow/DEBIAN/postinst
pack slow ""

# Its installation breaks off.
mkdir -p broken/DEBIAN
printf '#!/bin/sh\nexit 1\n' >broken/DEBIAN/postinst
chmod 755 broken/DEBIAN/postinst
pack broken ""

cd /srv/archive
for file in greeter-data_1.0_all.deb greeter_1.0_all.deb; do
    dpkg-deb --field "$file"
    echo "Filename: ./$file"
    echo "Size: $(stat --format=%s "$file")"
    echo "SHA256: $(sha256sum "$file" | cut -d ' ' -f 1)"
    echo
done >Packages
rm -f /etc/apt/sources.list.d/*
echo "deb [trusted=yes] file:/srv/archive ./" >/etc/apt/sources.list
rm -r /srv/build
