#!/usr/bin/env bash
# knotd 3.2.6 leaves its XDP program on the interface when it is stopped, so that
# another program that uses XDP finds the interface taken. A server that is to follow
# it, or a nullspfd, needs "ip link set dev INTERFACE xdp off" first. (Run by root.)
#
# Expected: after an orderly stop, "ip link" shows no program on the interface, as before
#           the start.
# Seen:     the program stays; it is taken off by hand.
set -euo pipefail
packages=(knot=3.2.6-1)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >knot.conf <<END
server:
    rundir: "$work"
    listen: 192.0.2.1@53
xdp:
    listen: one@53
database:
    storage: "$work"
    timer-db-max-size: 10M
log:
  - target: stdout
    any: info
END
cat >inside <<'END'
set -euo pipefail
ip link add one type veth peer name two
ip address add 192.0.2.1/24 dev one
ip link set lo up
ip link set one up
ip link set two up
program() { ip -d link show dev one | grep -q prog/xdp && echo yes || echo no; }
before=$(program)
root/usr/sbin/knotd -c knot.conf >knot.log 2>&1 &
server=$!
for _ in {1..100}; do grep -q 'server started' knot.log && break; sleep 0.1; done
running=$(program)
kill -TERM "$server"
wait "$server"
grep -q 'shutting down' knot.log
after=$(program)
ip link set dev one xdp off
echo "$before/$running/$after/$(program)"
END
seen=$(unshare -n bash inside) || { cat knot.log; exit 2; }

root/usr/sbin/knotd --version
echo "expected: no/yes/no/no"
echo "seen:     $seen"
[ "$seen" = no/yes/yes/no ]
