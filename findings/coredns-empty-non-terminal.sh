#!/usr/bin/env bash
# CoreDNS 1.15.0 answers from a wildcard for a name that exists because names below it do
# (plugin file, and with it auto and secondary).
#
# Expected: an empty answer: the name _domainkey is there, an empty non-terminal, so
#           that * does not apply to it (RFC 4592 sections 2.2.2 and 3.3.1).
# Seen:     the TXT record of *.
# Matters:  where another server of the same zone gives the right answer.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'END'
module finding

go 1.24

require github.com/coredns/coredns v1.15.0
END
cat >main.go <<'END'
// Prints the TXT records that the plugin has for a name without records of its own.
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/coredns/coredns/plugin/file"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

const zone = `
@  3600 SOA ns hostmaster 1 7200 900 86400 60
@  3600 NS  ns
ns 3600 A   192.0.2.1
*  3600 TXT "of the wildcard"
key._domainkey 3600 TXT "below"
`

func main() {
	z, err := file.Parse(strings.NewReader(zone), "example.test.", "zone", 0)
	if err != nil {
		panic(err)
	}
	q := new(dns.Msg).SetQuestion("_domainkey.example.test.", dns.TypeTXT)
	answer, _, _, _ := z.Lookup(context.Background(), request.Request{Req: q, W: &test.ResponseWriter{}}, "_domainkey.example.test.")
	fmt.Println(answer)
}
END
go mod tidy >log 2>&1 || { cat log; exit 2; }
seen=$(go run . | tr '\t' ' ')

echo "CoreDNS $(go list -m -f '{{.Version}}' github.com/coredns/coredns), zone with TXT records at * and key._domainkey; TXT of _domainkey"
echo "expected: []"
echo "seen:     $seen"
[ "$seen" = '[_domainkey.example.test. 3600 IN TXT "of the wildcard"]' ]
