#!/usr/bin/env bash
# rbldnsd 20210120 says that it ignores a last line without a line feed, and uses it.
#
# Expected: with the message "incomplete last line (ignored)", the address in this line is
#           not listed.
# Seen:     it is listed, like those in whole lines.
# Matters:  to who writes lists in place: of an address that is cut, what is left may be a
#           network. Write another file, and rename it.
set -euo pipefail
packages=(rbldnsd=1.0~20210120-2 bind9-dnsutils=1:9.18.49-1~deb12u3)

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"
apt-get install -s --no-install-recommends "${packages[@]}" | awk '/^Inst/ {print $2}' |
    grep -vxF "$(printf '%s\n' "${packages[@]%%=*}")" >needed || true
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" $(cat needed) || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

chmod 755 .
printf '$SOA 60 ns.example.net. hostmaster.example.net. 1 60 60 60 60\n203.0.113.7 :2:whole\n203.0.113.9 :2:last' >list
user=$(id -un)
[ "$user" != root ] || user=nobody
port=$(shuf -i 20000-29999 -n 1)
root/usr/sbin/rbldnsd -n -u "$user" -b "127.0.0.1/$port" bl.example.net:ip4trie:list >log 2>&1 &
ask() { root/usr/bin/dig -p "$port" @127.0.0.1 +norec +short +tries=10 +timeout=1 "$1.bl.example.net" A; }
until grep -q started log; do
    kill -0 $!
    sleep 0.1
done
whole=$(ask 7.113.0.203) last=$(ask 9.113.0.203) other=$(ask 8.113.0.203)

grep -o 'rbldnsd version.*(snapshot [0-9]*)' log
grep -o 'incomplete last line.*' log
echo "expected: 127.0.0.2 for the whole line, nothing for the last one"
echo "seen:     ${whole:-nothing} for the whole line, ${last:-nothing} for the last one, ${other:-nothing} for another address"
grep -q 'incomplete last line (ignored)' log
[ "$whole" = 127.0.0.2 ] && [ "$last" = 127.0.0.2 ] && [ -z "$other" ]
