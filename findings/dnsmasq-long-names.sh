#!/usr/bin/env bash
# dnsmasq 2.90 caches names of 50 bytes and more in a tenth of its cache only: 15
# of them by default, where it has room for 150 shorter names.
#
# Expected: 40 names fit into the cache of 150, however long they are: asked in
#           turn, then again, each is asked upstream once.
# Seen:     so it is with names of 45 bytes; of 40 names of 55 bytes, 15 are kept
#           and 25 are asked again.
# Matters:  to names that carry data, such as those of SPF macros and of DNS block
#           lists by IPv6 address: a dnsmasq in the way hardly caches them.
set -euo pipefail
packages=(dnsmasq-base=2.90-4~deb12u2 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >authority.py <<'END'
# Answers every query with an address, TTL 300. Writes its port, then the name
# of each query.
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    q, client = s.recvfrom(4096)
    end = q.index(b"\0", 12) + 5
    print(q[13:end - 5], flush=True)
    s.sendto(q[:2] + b"\x84\x80" + struct.pack(">4H", 1, 1, 0, 0) + q[12:end] + b"\xc0\x0c" + struct.pack(">HHIHI", 1, 1, 300, 4, 0xC0000201), client)
END
python3 authority.py >asked &
until [ -s asked ]; do sleep 0.1; done
port=$(shuf -i 20000-29999 -n 1)
root/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user= \
    --listen-address=127.0.0.1 --bind-interfaces --port="$port" --server="127.0.0.1#$(head -n 1 asked)" 2>log &

# arrive LETTERS asks for 40 names in turn, then again, and prints how many
# queries the authority sees.
arrive() {
    local label before
    label=$(printf "%0$1d" 0 | tr 0 x)
    printf "$label-%02d.example.test A\n" {1..40} {1..40} >names
    before=$(wc -l <asked)
    root/usr/bin/dig -p "$port" @127.0.0.1 +tries=10 +timeout=1 -f names >/dev/null
    echo $(($(wc -l <asked) - before))
}
short=$(arrive 29) long=$(arrive 39)

root/usr/sbin/dnsmasq --version | head -n 1
echo "expected: 40 queries for 40 names of 45 bytes, and for 40 names of 55 bytes"
echo "seen:     $short for 40 names of 45 bytes, $long for 40 names of 55 bytes"
[ "$short" -eq 40 ] && [ "$long" -eq 65 ]
