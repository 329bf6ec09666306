#!/usr/bin/env bash
# YADIFA 2.6.4 does not read its configuration at a SIGHUP that comes within the
# second in which the last reload ended: it only opens its log files anew, and says
# nothing of it.
#
# Expected: each SIGHUP that arrives after the last reload has ended is a reload, so
#           that the configuration of the last one is in effect.
# Seen:     zone two, added and followed by SIGHUP at once after zone one was served,
#           is unknown three seconds later, and there after another SIGHUP.
set -euo pipefail
packages=(yadifa=2.6.4-1 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

port=$(shuf -i 20000-29000 -n 1)
# zone NAME writes a zone and adds it to the configuration.
zone() {
    cat >"$1.example.zone" <<END
\$TTL 60
@ IN SOA ns.example. postmaster.example. 1 7200 900 86400 60
@ IN NS ns.example.
END
    cat >>zones.conf <<END
<zone>
    domain $1.example
    type primary
    file $1.example.zone
</zone>
END
}
cat >yadifad.conf <<END
<main>
    daemon off
    datapath "$work"
    keyspath "$work"
    logpath "$work"
    xfrpath "$work"
    pidfile "$work/yadifad.pid"
    listen 127.0.0.1 port $port
    allow-query any
</main>
<channels>
    all STDOUT
</channels>
<loggers>
    server info all
</loggers>
include zones.conf
END
zone none
root/usr/sbin/yadifad -c "$work/yadifad.conf" >yadifad.log 2>&1 &
server=$!
# served NAME tells whether the server has a zone.
served() { root/usr/bin/dig -p "$port" @127.0.0.1 +tries=1 +timeout=1 +short "$1.example" SOA 2>/dev/null | grep -q '^ns'; }
until served none; do sleep 0.1; done

# A reload is read in the first half of a second, so that both come within one.
seen=
for try in a b c d e f; do
    until [ "$(date +%N | cut -c1)" = 0 ]; do sleep 0.01; done
    zone "one$try"
    kill -HUP "$server"
    for _ in {1..50}; do served "one$try" && break; sleep 0.02; done
    zone "two$try"
    kill -HUP "$server"
    sleep 3
    first=$(served "two$try" && echo served || echo unknown)
    kill -HUP "$server"
    sleep 2
    then=$(served "two$try" && echo served || echo unknown)
    seen="$seen $first/$then"
done

root/usr/sbin/yadifad -V | head -n 1
echo "expected: served/served each time"
echo "seen:     ${seen# }"
[[ $seen == *unknown/served* ]]
