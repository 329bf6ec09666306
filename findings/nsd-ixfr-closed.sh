#!/usr/bin/env bash
# NSD 4.6.1 never asks for AXFR of a primary that closes the connection at IXFR.
#
# Expected: allow-axfr-fallback is on by default: after an IXFR that brought
#           nothing, AXFR, as BIND and Knot DNS do, and the new version.
# Seen:     IXFR again and again, until the zone expires: SERVFAIL. The primary
#           would have answered AXFR all the time.
# Matters:  to who has a primary, or a middlebox, that gives IXFR up so:
#           request-xfr: AXFR ADDRESS KEY is the way out.
set -euo pipefail
packages=(nsd=4.6.1-1 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >primary.py <<'END'
# A primary for example.test over TCP: version 1 to the first AXFR, version 2
# from then on; IXFR closes the connection. Writes its port, then each type.
import socket, struct
zone = b"\x07example\x04test\x00"
def rr(kind, data): return zone + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
def soa(serial): return rr(6, zone + zone + struct.pack(">5I", serial, 1, 1, 8, 60))  # refresh, retry 1, expire 8
serial = 1
tcp = socket.create_server(("127.0.0.1", 0))
print(tcp.getsockname()[1], flush=True)
while True:
    c = tcp.accept()[0]
    while (head := c.recv(2, socket.MSG_WAITALL)):
        q = c.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
        end = q.index(b"\0", 12) + 5
        kind = {6: "SOA", 251: "IXFR", 252: "AXFR"}[struct.unpack(">H", q[end - 4:end - 2])[0]]
        print(kind, flush=True)
        if kind == "IXFR":
            break
        s = soa(serial)
        records = [s] if kind == "SOA" else [s, rr(2, zone), rr(1, bytes([192, 0, 2, serial])), s]
        m = q[:2] + b"\x84\0" + struct.pack(">4H", 1, len(records), 0, 0) + q[12:end] + b"".join(records)
        c.sendall(struct.pack(">H", len(m)) + m)
        if kind == "AXFR":
            serial = 2
    c.close()
END
python3 primary.py >primary &
until [ -s primary ]; do sleep 0.1; done
port=$(shuf -i 20000-29999 -n 1)
mkdir zones
cat >nsd.conf <<END
server:
    ip-address: 127.0.0.1@$port
    username: ""
    zonesdir: "$work/zones"
    database: ""
    pidfile: "$work/nsd.pid"
    xfrdfile: "$work/xfrd.state"
    zonelistfile: "$work/zone.list"
    xfrdir: "$work"
    cookie-secret-file: "$work/cookies"
remote-control:
    control-enable: no
zone:
    name: example.test
    zonefile: example.test
    request-xfr: 127.0.0.1@$(head -n 1 primary) NOKEY
    allow-notify: 127.0.0.1 NOKEY
END
root/usr/sbin/nsd -d -c nsd.conf >log 2>&1 &

ask() { root/usr/bin/dig -p "$port" @127.0.0.1 +tries=1 +timeout=1 "$@"; }
status() { ask example.test A | sed -n 's/.*status: \([A-Z]*\).*/\1/p'; }
for _ in {1..60}; do
    [ "$(status)" = NOERROR ] && break
    sleep 0.5
done
before=$(ask +short example.test A)
for _ in {1..80}; do
    [ "$(status)" = SERVFAIL ] && break
    sleep 0.5
done
after=$(status)
full=$(grep -c AXFR primary)
ixfr=$(grep -c IXFR primary)

{ root/usr/sbin/nsd -v 2>&1 || true; } | head -n 1
echo "expected: 192.0.2.1, then AXFR of version 2: 192.0.2.2, NOERROR"
echo "seen:     ${before:-nothing}, then IXFR $ixfr times, AXFR $((full - 1)) times: $after"
[ "$before" = 192.0.2.1 ] && [ "$after" = SERVFAIL ] && [ "$full" = 1 ] && [ "$ixfr" -ge 2 ]
