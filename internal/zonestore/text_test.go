package zonestore

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/peers"
)

// textZone has types known and unknown (RFC 3597), and names and strings that
// need escapes (RFC 1035 section 5.1).
const textZone = `$TTL 300
@ SOA ns1 host\.master 7 7200 900 2419200 60
@ NS ns1
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
a\.b\\c TXT "with \"quotes\" and \\ and ; and \000\127\255"
\000\032\@\$\(\)\;\" TXT ""
* MX 0 .
x NAPTR 1 2 "S" "SIP+D2U" "!^.*$!sip:a@b!" _sip._udp
x CAA 0 issue "ca.example; policy=\"x\""
x LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
x SSHFP 1 1 0102030405060708090a0b0c0d0e0f1011121314
x TLSA 1 1 1 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
x HINFO "a b" "c"
x RP a\.b.c d
x URI 1 1 "https://x.example/"
x HTTPS 1 . alpn="h2" ipv4hint=192.0.2.1
x SVCB 0 y
x APL 1:192.0.2.0/24 !2:2001:db8::/32
x CERT 1 1 1 AAAA
x NID 10 2014:4fff:ff20:ee64
x EUI48 00-00-5e-00-53-2a
x OPENPGPKEY AAAA
x TYPE65280 \# 3 010203
x TYPE65281 \# 0
x TYPE300 \# 1 ff
d DNAME away
child NS ns.child
child DS 12345 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
ns.child A 192.0.2.53
`

// TestWriteText loads what is written again, here and with BIND.
func TestWriteText(t *testing.T) {
	text := func(z *Zone) string {
		var b bytes.Buffer
		if err := WriteText(&b, z.Records); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, source := range map[string]string{"types": textZone, "situations": richZone} {
		t.Run(name, func(t *testing.T) {
			z := parseZone(t, "example.", source)
			first := text(z)
			again := parseZone(t, "example.", first)
			if !bytes.Equal(z.blob, again.blob) || z.Count() != again.Count() {
				t.Errorf("(-written +read) %s", cmp.Diff(first, text(again)))
			}
			peers.Require(t, "named-checkzone")
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			if err := os.WriteFile(in, []byte(first), 0o644); err != nil {
				t.Fatal(err)
			}
			program, err := peers.Program("named-checkzone")
			if err != nil {
				t.Fatal(err)
			}
			// What the zone means is not to be checked, only that it is read.
			cmd := exec.Command(program, "-q", "-i", "none", "-k", "ignore", "-F", "text", "-s", "full", "-o", out, "example", in)
			if report, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("named-checkzone: %v\n%s\n%s", err, report, first)
			}
			theirs, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if other := parseZone(t, "example.", string(theirs)); !bytes.Equal(z.blob, other.blob) {
				t.Errorf("(-ours +by way of BIND) %s", cmp.Diff(first, text(other)))
			}
		})
	}
}
