#!/usr/bin/env bash
# BIND 9.18.49 and PowerDNS Recursor 4.8.8 keep a negative answer for the TTL of
# the SOA record in it, and pass over the record's minimum field; Unbound 1.17.1
# takes the lesser of both.
#
# Expected: all keep NODATA for min(SOA TTL, minimum) (RFC 2308), here 60 s.
# Seen:     BIND and PowerDNS Recursor keep it for 3600 s. They leave the minimum
#           to the authoritative server, which is to lower the TTL (section 3);
#           not all do.
set -euo pipefail
packages=(bind9=1:9.18.49-1~deb12u3 bind9-dnsutils=1:9.18.49-1~deb12u3 pdns-recursor=4.8.8-1+deb12u1 unbound=1.17.1-2+deb12u4)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >authority.py <<'END'
# Answers NODATA for everything, with the SOA record of example.test: TTL 3600,
# minimum 60. Writes its port.
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
zone = b"\x07example\x04test\x00"
soa = zone + struct.pack(">HHIH", 6, 1, 3600, len(zone) * 2 + 20) + zone + zone + struct.pack(">5I", 1, 7200, 900, 86400, 60)
while True:
    q, client = s.recvfrom(4096)
    end = q.index(b"\0", 12) + 5
    s.sendto(q[:2] + b"\x84\x80" + struct.pack(">4H", 1, 0, 1, 0) + q[12:end] + soa, client)
END
python3 authority.py >authority &
until [ -s authority ]; do sleep 0.1; done
authority=$(cat authority)
port=$(shuf -i 20000-29000 -n 1)

cat >named.conf <<END
options {
    directory "$work";
    pid-file none;
    listen-on port $port { 127.0.0.1; };
    listen-on-v6 { none; };
    dnssec-validation no;
    qname-minimization off;
    forward only;
    forwarders { 127.0.0.1 port $authority; };
};
controls { };
END
root/usr/sbin/named -g -c named.conf 2>named.log &

cat >unbound.conf <<END
server:
    interface: 127.0.0.1@$((port + 1))
    directory: "$work"
    pidfile: ""
    username: ""
    chroot: ""
    use-syslog: no
    logfile: "unbound.log"
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "test." nodefault
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@$authority
END
root/usr/sbin/unbound -d -c unbound.conf &

mkdir recursor
cat >recursor/recursor.conf <<END
local-address=127.0.0.1
local-port=$((port + 2))
socket-dir=$work
dnssec=off
forward-zones-recurse=.=127.0.0.1:$authority
dont-query=
hint-file=no
END
root/usr/sbin/pdns_recursor --config-dir=recursor --daemon=no >recursor.log 2>&1 &

# kept PORT prints for how long the answer is kept, as a second client sees it.
kept() {
    for _ in 1 2; do
        root/usr/bin/dig -p "$1" @127.0.0.1 +tries=10 +timeout=1 name.example.test A >answer
    done
    awk '$4 == "SOA" {print $2}' answer
}
bind=$(kept "$port") unbound=$(kept $((port + 1))) recursor=$(kept $((port + 2)))

root/usr/sbin/named -v
root/usr/sbin/unbound -V | head -n 1
root/usr/sbin/pdns_recursor --version 2>&1 | grep -o 'PowerDNS Recursor [0-9.]*'
echo "expected: 60 s left, or a little less, everywhere"
echo "seen:     BIND $bind s, PowerDNS Recursor $recursor s, Unbound $unbound s"
[ "$bind" -gt 3500 ] && [ "$recursor" -gt 3500 ] && [ "$unbound" -le 60 ]
