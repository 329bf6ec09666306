#!/usr/bin/env bash
# pyspf 2.0.14 fetches the explanation (exp=) before it looks at any mechanism,
# and for clients that pass, too.
#
# Expected: the explanation is fetched once the result is Fail (RFC 7208 section
#           6.2: "if the client is denied").
# Seen:     the TXT record of exp= is asked for first, and for a client that the
#           record allows.
# Matters:  to who takes a query for the explanation for a refused message; and an
#           explanation that is slow to fetch delays all mail.
set -euo pipefail
packages=(python3-spf=2.0.14-3 python3-dns=3.2.1-2)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}" || exit 2
for deb in *.deb; do dpkg -x "$deb" root; done
cat >check.py <<'END'
# Checks two clients against one record, and prints the queries in order.
import spf
records = {("example.test", "TXT"): "v=spf1 a:mail.example.test -all exp=explain.example.test",
           ("mail.example.test", "A"): "192.0.2.25",
           ("explain.example.test", "TXT"): "no mail from here"}
asked = []
def lookup(name, qtype, *_, **__):
    asked.append(f"{name} {qtype}")
    value = records.get((name, qtype))
    if value is None:
        return []
    return [((name, qtype), (value.encode(),) if qtype == "TXT" else value)]
spf.DNSLookup = lookup
for client in "192.0.2.25", "203.0.113.7":
    asked.clear()
    result = spf.check2(i=client, s="user@example.test", h="mail.example.test")[0]
    print(client, result, ", ".join(asked[1:]))
END
PYTHONPATH=$work/root/usr/lib/python3/dist-packages python3 check.py 2>log >seen || { cat log; exit 2; }

echo "pyspf ${packages[0]#*=}; queries after that for the record of example.test, whose exp= is explain.example.test"
echo "expected: 192.0.2.25 pass mail.example.test A"
echo "          203.0.113.7 fail mail.example.test A, explain.example.test TXT"
sed '1s/^/seen:     /; 2,$s/^/          /' seen
diff seen - <<'END'
192.0.2.25 pass explain.example.test TXT, mail.example.test A
203.0.113.7 fail explain.example.test TXT, mail.example.test A
END
