#!/usr/bin/env bash
# The Go library github.com/redsift/spf 2.5.0 expands the macro %{i} of an IPv6
# client to its bytes without leading zeros.
#
# Expected: 32 nibbles, 2.0.0.1.0.d.b.8.0.(...).0.7 (RFC 7208 section 7.3).
# Seen:     16 bytes in hexadecimal digits, 20.1.d.b8.0.(...).0.7.
# Matters:  to who publishes lists of addresses for exists:%{ir}..., or reads
#           addresses out of such queries.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'END'
module finding

go 1.23

require github.com/redsift/spf/v2 v2.5.0
END
cat >main.go <<'END'
// Prints the name that the check of an IPv6 client asks for.
package main

import (
	"errors"
	"fmt"
	"net"

	"github.com/redsift/spf/v2"
)

type resolver struct{}

func (resolver) LookupTXT(string) ([]string, *spf.ResponseExtras, error) {
	return []string{"v=spf1 exists:%{i}.%{v}.list.example.test -all"}, nil, nil
}
func (r resolver) LookupTXTStrict(name string) ([]string, *spf.ResponseExtras, error) { return r.LookupTXT(name) }
func (resolver) Exists(name string) (bool, *spf.ResponseExtras, error) {
	fmt.Println(name)
	return false, nil, nil
}
func (resolver) MatchIP(string, spf.IPMatcherFunc) (bool, *spf.ResponseExtras, error) {
	return false, nil, errors.ErrUnsupported
}
func (resolver) MatchMX(string, spf.IPMatcherFunc) (bool, *spf.ResponseExtras, error) {
	return false, nil, errors.ErrUnsupported
}
func (resolver) LookupPTR(string) ([]string, *spf.ResponseExtras, error) { return nil, nil, errors.ErrUnsupported }

func main() {
	spf.CheckHost(net.ParseIP("2001:db8::7"), "example.test", "user@example.test", spf.WithResolver(resolver{}))
}
END
go mod tidy >log 2>&1 || { cat log; exit 2; }
seen=$(go run .)

echo "github.com/redsift/spf/v2 $(go list -m -f '{{.Version}}' github.com/redsift/spf/v2), client 2001:db8::7, exists:%{i}.%{v}.list.example.test"
echo "expected: 2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.ip6.list.example.test"
echo "seen:     $seen"
[ "$seen" = 20.1.d.b8.0.0.0.0.0.0.0.0.0.0.0.7.ip6.list.example.test. ]
