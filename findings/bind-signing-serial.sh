#!/usr/bin/env bash
# BIND 9.18.49: "rndc signing -serial" does not change the serial number of a zone that is
# signed inline by dnssec-policy, and reports no error.
#
# Expected: the serial number that is given, which is higher; rndc(8) says that inline
#           signed zones are the primary use.
# Seen:     rndc ends with 0, and the serial number stays as it was.
# Matters:  to who would raise a serial number that has fallen. Without the signed zone
#           and its journal, BIND begins with the serial number of the zone file.
set -euo pipefail
packages=(bind9=1:9.18.49-1~deb12u3 bind9-utils=1:9.18.49-1~deb12u3 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

port=$(shuf -i 20000-29000 -n 1)
mkdir keys
echo "key k { algorithm hmac-sha256; secret \"$(head -c 32 /dev/urandom | base64)\"; };" >key
cat >named.conf <<END
include "key";
options { directory "$work"; listen-on port $port { 127.0.0.1; }; listen-on-v6 { none; };
    pid-file "pid"; session-keyfile "session"; key-directory "keys"; dnssec-validation no; recursion no; };
controls { inet 127.0.0.1 port $((port + 1)) allow { 127.0.0.1; } keys { k; }; };
zone "a.example" { type master; file "zone"; dnssec-policy default; inline-signing yes; };
END
zone() {
    printf '$TTL 60\n@ SOA ns.invalid. h.invalid. %d 3600 600 86400 60\n@ NS ns.invalid.\n@ TXT "%d"\n' "$1" "$1" >zone
}
start() { # waits 3 s: the zone may or may not load
    root/usr/sbin/named -g -c named.conf >>log 2>&1 &
    sleep 3
}
rndc() { root/usr/sbin/rndc -s 127.0.0.1 -p $((port + 1)) -k key "$@" >/dev/null; }
serial() { root/usr/bin/dig +short +norecurse @127.0.0.1 -p "$port" a.example SOA | cut -d' ' -f3; }
zone 101 && start
before=$(serial)
rndc signing -serial $((before + 1000)) a.example && sleep 5
after=$(serial)

root/usr/sbin/named -v
echo "expected: $((before + 1000)) or more"
echo "seen:     $after"
[ "$after" -ge "$before" ] && [ "$after" -lt $((before + 1000)) ]
