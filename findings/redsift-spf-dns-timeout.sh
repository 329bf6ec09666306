#!/usr/bin/env bash
# The Go library github.com/redsift/spf 2.5.0 takes an exists: mechanism whose name
# server does not answer for one that does not match, and goes on to "-all".
#
# Expected: temperror (RFC 7208 section 5: a mechanism that meets a DNS error other
#           than NXDOMAIN ends the check so), and the receiver defers the mail.
# Seen:     fail, after the time-out.
# Matters:  to who allows senders by exists: while a list is out of reach; and to who
#           counts on temperror. zaccone/spf and mileusna/spf do the same.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'END'
module finding

go 1.23

require (
	github.com/miekg/dns v1.1.63
	github.com/redsift/spf/v2 v2.5.0
)
END
cat >main.go <<'END'
// Prints the result of a check while the names of exists: get no answer.
package main

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"
	"github.com/redsift/spf/v2"
)

func main() {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go dns.ActivateAndServe(nil, pc, dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		q := query.Question[0]
		if q.Name != "example.test." {
			return
		}
		answer := new(dns.Msg).SetReply(query)
		if q.Qtype == dns.TypeTXT {
			rr, _ := dns.NewRR(`example.test. 60 IN TXT "v=spf1 exists:%{i}.list.example.test -all"`)
			answer.Answer = append(answer.Answer, rr)
		}
		w.WriteMsg(answer)
	}))
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
	result, _, _, _ := spf.CheckHost(net.ParseIP("203.0.113.7"), "example.test", "user@example.test")
	fmt.Println(result)
}
END
go mod tidy >log 2>&1 || { cat log; exit 2; }
seen=$(go run .)

echo "github.com/redsift/spf/v2 $(go list -m -f '{{.Version}}' github.com/redsift/spf/v2), exists:%{i}.list.example.test -all, no answer for the list"
echo "expected: temperror"
echo "seen:     $seen"
[ "$seen" = fail ]
