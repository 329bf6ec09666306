#!/usr/bin/env bash
# Unbound 1.17.1 keeps a negative answer until the SOA record of the zone ends
# that it has cached already, whatever TTL the answer's own SOA record has.
#
# Expected: each NODATA answer is kept for the TTL of its SOA record, here 10 s.
# Seen:     a name first asked 7 s after another one is asked for again 4 s later:
#           all negative answers of a zone end together.
# Matters:  to who counts clients by queries for names that have no records.
set -euo pipefail
packages=(unbound=1.17.1-2+deb12u4 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >authority.py <<'END'
# Answers NODATA for everything, with the SOA record of example.test, TTL 10;
# writes its port, then the first label of each query.
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
zone = b"\x07example\x04test\x00"
soa = zone + struct.pack(">HHIH", 6, 1, 10, len(zone) * 2 + 20) + zone + zone + struct.pack(">5I", 1, 7200, 900, 86400, 10)
while True:
    q, client = s.recvfrom(4096)
    end = q.index(b"\0", 12) + 5
    print(q[13:13 + q[12]].decode().lower(), flush=True)
    s.sendto(q[:2] + b"\x84\0" + struct.pack(">4H", 1, 0, 1, 0) + q[12:end] + soa, client)
END
python3 authority.py >asked &
until [ -s asked ]; do sleep 0.1; done
port=$(shuf -i 20000-29999 -n 1)
cat >unbound.conf <<END
server:
    interface: 127.0.0.1@$port
    directory: "$work"
    pidfile: ""
    username: ""
    chroot: ""
    use-syslog: no
    logfile: "log"
    do-not-query-localhost: no
    module-config: "iterator"
    qname-minimisation: no
    local-zone: "test." nodefault
remote-control:
    control-enable: no
stub-zone:
    name: "example.test"
    stub-addr: 127.0.0.1@$(head -n 1 asked)
END
root/usr/sbin/unbound -d -c unbound.conf &
ask() { root/usr/bin/dig -p "$port" @127.0.0.1 +tries=10 +timeout=1 "$1.example.test" A >/dev/null; }

ask one
sleep 7
ask two
sleep 1
ask two
before=$(grep -c '^two$' asked)
sleep 3
ask two
after=$(grep -c '^two$' asked)

root/usr/sbin/unbound -V | head -n 1
echo "expected: two.example.test is kept for 10 s: asked 1 s and 4 s later, it arrives 1 time and 1 time"
echo "seen:     it arrives $before time and $after times"
[ "$before" -eq 1 ] && [ "$after" -eq 2 ]
