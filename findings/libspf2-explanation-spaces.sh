#!/usr/bin/env bash
# libspf2 1.2.10 writes "%" for each space of an explanation (exp=), and does not
# expand the macros between.
#
# Expected: "Mail from %{d} is forged" becomes "Mail from example.test is forged":
#           spaces stand for themselves in an explain-string (RFC 7208 section 12).
# Seen:     "Mail%from%{d}%is%forged". With %_ in the place of spaces all is well.
# Matters:  to who publishes an explanation that people are to read.
set -euo pipefail
packages=(spfquery=1.2.10-7.2+b1 libspf2-2=1.2.10-7.2+b1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu

cat >authority.py <<'END'
# Brings loopback up, then answers the TXT records below at port 53.
import fcntl, os, socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x41))  # SIOCSIFFLAGS: UP, RUNNING
s.bind(("127.0.0.1", 53))
os.close(os.open("ready", os.O_CREAT))
records = {b"spaces.test": b"v=spf1 -all exp=text.spaces.test",
           b"text.spaces.test": b"Mail from %{d} is forged",
           b"macros.test": b"v=spf1 -all exp=text.macros.test",
           b"text.macros.test": b"Mail%_from%_%{d}%_is%_forged"}
while True:
    q, client = s.recvfrom(4096)
    labels, i = [], 12
    while q[i]:
        labels.append(q[i + 1:i + 1 + q[i]])
        i += 1 + q[i]
    text = records.get(b".".join(labels).lower()) if q[i + 2] == 16 else None
    m = q[:2] + b"\x84\x80" + struct.pack(">4H", 1, bool(text), 0, 0) + q[12:i + 5]
    if text:
        m += b"\xc0\x0c" + struct.pack(">HHIHB", 16, 1, 60, len(text) + 1, len(text)) + text
    s.sendto(m, client)
END
cat >inside.sh <<'END'
# Runs in namespaces of its own: libspf2 asks port 53 of what /etc/resolv.conf names.
set -eu
echo 'nameserver 127.0.0.1' >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
python3 authority.py &
trap 'kill $!' EXIT
until [ -e ready ]; do sleep 0.1; done
spfquery=$(echo root/usr/bin/spfquery*)
for domain in spaces.test macros.test; do
    "$spfquery" -ip 203.0.113.7 -sender "user@$domain" -helo mail.example.test | sed -n '2s/ : Reason.*//p' || true
done
END
unshare --map-root-user --mount --net sh inside.sh >seen 2>log || { cat log; exit 2; }
{ read -r spaces; read -r macros; } <seen

echo "spfquery and libspf2 ${packages[1]#*=}"
echo "expected: Mail from spaces.test is forged"
echo "          Mail from macros.test is forged"
echo "seen:     $spaces"
echo "          $macros"
[ "$spaces" = 'Mail%from%{d}%is%forged' ] && [ "$macros" = 'Mail from macros.test is forged' ]
