#!/usr/bin/env bash
# PowerDNS 4.7.3 as a secondary never lets a zone expire.
#
# Expected: once the primary has not answered for the time in the SOA record's
#           expire field, here 6 s, the secondary stops to answer for the zone
#           (RFC 1035 section 4.3.5): SERVFAIL.
# Seen:     15 s after the end of the primary, and for ever: NOERROR with AA.
# Matters:  to who relies on expire to end a zone at a secondary that was
#           forgotten, or watches for it.
set -euo pipefail
packages=(pdns-server=4.7.3-2 pdns-backend-sqlite3=4.7.3-2 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >primary.py <<'END'
# A primary for example.test: SOA over UDP, the zone over TCP. Writes its port.
import socket, struct, threading
zone = b"\x07example\x04test\x00"
def rr(kind, data): return zone + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
soa = rr(6, zone + zone + struct.pack(">5I", 7, 2, 2, 6, 60))  # refresh 2, retry 2, expire 6
records = [soa, rr(2, zone), rr(1, bytes([192, 0, 2, 1])), soa]
def answer(q, records):
    end = q.index(b"\0", 12) + 5
    return q[:2] + b"\x84\0" + struct.pack(">4H", 1, len(records), 0, 0) + q[12:end] + b"".join(records)
tcp = socket.create_server(("127.0.0.1", 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(tcp.getsockname())
print(tcp.getsockname()[1], flush=True)
def transfers():
    while True:
        c = tcp.accept()[0]
        while (head := c.recv(2, socket.MSG_WAITALL)):
            q = c.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
            kind = q[q.index(b"\0", 12) + 2]
            m = answer(q, [soa] if kind == 6 else records)
            c.sendall(struct.pack(">H", len(m)) + m)
threading.Thread(target=transfers, daemon=True).start()
while True:
    q, client = udp.recvfrom(4096)
    udp.sendto(answer(q, [soa]), client)
END
python3 primary.py >primary &
primary=$!
until [ -s primary ]; do sleep 0.1; done
port=$(shuf -i 20000-29999 -n 1)
cat >pdns.conf <<END
launch=gsqlite3
gsqlite3-database=$work/pdns.sqlite3
module-dir=$LD_LIBRARY_PATH/pdns
socket-dir=$work
local-address=127.0.0.1
local-port=$port
secondary=yes
xfr-cycle-interval=1
cache-ttl=0
query-cache-ttl=0
zone-cache-refresh-interval=0
setuid=
END
python3 -c 'import sqlite3, sys; sqlite3.connect("pdns.sqlite3").executescript(open(sys.argv[1]).read())' \
    root/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
root/usr/bin/pdnsutil --config-dir=. create-secondary-zone example.test "127.0.0.1:$(cat primary)" >/dev/null 2>log
root/usr/sbin/pdns_server --config-dir=. --daemon=no --guardian=no 2>>log &

status() { root/usr/bin/dig -p "$port" @127.0.0.1 +tries=1 +timeout=1 example.test A | sed -n 's/.*status: \([A-Z]*\).*/\1/p'; }
for _ in {1..40}; do
    [ "$(status)" = NOERROR ] && break
    sleep 0.5
done
before=$(status)
sleep 3
kill $primary
sleep 15
after=$(status)

{ root/usr/sbin/pdns_server --version 2>&1 || true; } | grep -o 'PowerDNS Authoritative Server [0-9.]*'
echo "expected: NOERROR while the primary answers, SERVFAIL 15 s after its end"
echo "seen:     $before while the primary answers, $after 15 s after its end"
[ "$before" = NOERROR ] && [ "$after" = NOERROR ]
