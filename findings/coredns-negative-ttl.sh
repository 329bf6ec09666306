#!/usr/bin/env bash
# CoreDNS 1.15.0 sends the SOA record of a negative answer with its own TTL (plugin
# file, and with it auto and secondary).
#
# Expected: the lesser of that TTL and the minimum field (RFC 2308 section 3), here
#           60 s.
# Seen:     3600 s.
# Matters:  together with resolvers that go by the TTL alone (bind-negative-ttl.sh):
#           a name that is added is found after an hour, not after a minute.
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
// Prints the SOA record with which the plugin answers that a name does not exist.
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
`

func main() {
	z, err := file.Parse(strings.NewReader(zone), "example.test.", "zone", 0)
	if err != nil {
		panic(err)
	}
	q := new(dns.Msg).SetQuestion("none.example.test.", dns.TypeA)
	_, authority, _, _ := z.Lookup(context.Background(), request.Request{Req: q, W: &test.ResponseWriter{}}, "none.example.test.")
	fmt.Println(authority[0])
}
END
go mod tidy >log 2>&1 || { cat log; exit 2; }
seen=$(go run . | tr '\t' ' ')

echo "CoreDNS $(go list -m -f '{{.Version}}' github.com/coredns/coredns), zone with SOA TTL 3600 and minimum 60"
echo "expected: example.test. 60 IN SOA ns.example.test. hostmaster.example.test. 1 7200 900 86400 60"
echo "seen:     $seen"
[ "$seen" = 'example.test. 3600 IN SOA ns.example.test. hostmaster.example.test. 1 7200 900 86400 60' ]
