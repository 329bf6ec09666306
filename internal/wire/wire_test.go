package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func name(t testing.TB, text string) Name {
	t.Helper()
	n, err := ParseName(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return n
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{
		"Example.COM": "example.com.", "example.com.": "example.com.", ".": ".", `a\.b.c`: `a\.b.c.`, `\001x.`: `\001x.`, `a\\.`: `a\\.`,
		strings.Repeat("a", 63) + ".x": strings.Repeat("a", 63) + ".x.",
	} {
		if got := name(t, text).String(); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"..", "a..b", strings.Repeat("a", 64), strings.Repeat("a.", 128), ".a"} {
		if n, err := ParseName(text); err == nil {
			t.Errorf("%q is %q", text, n)
		}
	}
	n := name(t, "a.b.example")
	if n.Labels() != 3 || n.Parent() != name(t, "b.example") || Root.Parent() != Root || Root.Labels() != 0 {
		t.Errorf("labels %d, parent %s", n.Labels(), n.Parent())
	}
	for zone, want := range map[string]bool{"example": true, "b.example": true, "a.b.example": true, ".": true, "x.a.b.example": false, "c.example": false, "xample": false} {
		if got := n.Within(name(t, zone)); got != want {
			t.Errorf("within %s: %v", zone, got)
		}
	}
	// The bytes of one label look like two.
	if name(t, `a\007example`).Within(name(t, "example")) {
		t.Error("a label is taken for two")
	}
}

func TestReadName(t *testing.T) {
	long := strings.Repeat("\x3f"+strings.Repeat("a", 63), 3)
	for text, want := range map[string]string{
		"\x01A\x00":     "a.",
		"\x01a\xc0\x00": "", // to itself
		"\xc0\x00":      "",
		"\xc0\x05":      "", // forwards
		"\x01a":         "",
		"":              "",
		"\x40a\x00":     "",
		"\x80a\x00":     "",
		"\xc0":          "",
		long + "\x3d" + strings.Repeat("b", 61) + "\x00": strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61) + ".",
		long + "\x3e" + strings.Repeat("b", 62) + "\x00": "",
	} {
		n, next, err := ReadName([]byte(text), 0)
		if (err == nil) != (want != "") || err == nil && (n.String() != want || next != len(text)) || err != nil && n != "" {
			t.Errorf("% x: %q, %d, %v; want %q", text, n, next, err, want)
		}
	}
	msg := []byte("\x01b\x07example\x00\x01A\xc0\x02")
	if n, next, err := ReadName(msg, 11); err != nil || n != name(t, "a.example") || next != len(msg) {
		t.Errorf("%s, %d, %v", n, next, err)
	}
}

// TestRecords reads records of all types that the dns package can make of text,
// and compares them.
func TestRecords(t *testing.T) {
	lines := []string{
		"A 192.0.2.1", "AAAA 2001:db8::1", "NS ns.EXAMPLE.", "CNAME x.", "SOA ns. h. 1 2 3 4 5", "PTR x.example.", "MX 10 Mail.example.", `TXT "a" "b"`, `TXT ""`,
		"RP a. b.", "AFSDB 1 x.", "SRV 1 2 3 x.", `NAPTR 1 2 "S" "x" "" y.`, "KX 1 x.", "DNAME x.", "DS 1 13 2 AA", "DNSKEY 256 3 13 AAAA", "NSEC b. A RRSIG",
		"NSEC3 1 1 5 AABB 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A", "NSEC3PARAM 1 0 0 -", "RRSIG A 13 1 60 20300101000000 20200101000000 1 example. AAAA",
		`CAA 0 issue "ca"`, "SSHFP 1 1 AA", "TLSA 1 1 1 AA", "HTTPS 1 . alpn=h2", "LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", `HINFO "a" "b"`,
		"APL 1:192.0.2.0/24 !2:2001:db8::/32", `URI 1 1 "x"`, `TYPE65280 \# 3 010203`, `TYPE65281 \# 0`, `SPF "x"`, "MINFO a. b.", "X25 1", "RT 1 x.", "LP 1 x.",
	}
	for _, l := range lines {
		rr, err := dns.NewRR("Owner.example. 60 IN " + l)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		r, err := FromRR(rr)
		if err != nil {
			t.Errorf("%s: %v", l, err)
			continue
		}
		b := r.Append(nil)
		again, next, err := ReadRecord(b, 0)
		if err != nil || next != len(b) || again.Name != r.Name || !bytes.Equal(again.Data, r.Data) {
			t.Errorf("%s: %+v, %v", l, again, err)
		}
		back, err := dns.NewRR(r.String())
		if err != nil {
			t.Errorf("%s: %v", &r, err)
			continue
		}
		if fromText, err := FromRR(back); err != nil || !bytes.Equal(fromText.Data, r.Data) || fromText.Type != r.Type {
			t.Errorf("%s: by way of text %+v, %v", l, fromText, err)
		}
		// Data that is too short or too long is refused, where its type has a
		// shape.
		for _, change := range []int{-1, 1} {
			odd := r
			if odd.Data = append(bytes.Clone(r.Data), 0); change < 0 {
				odd.Data = r.Data[:max(0, len(r.Data)-1)]
			}
			_, _, err := ReadRecord(odd.Append(nil), 0)
			if fixed := strings.Contains("A AAAA NS CNAME SOA PTR MX RP AFSDB SRV KX DNAME MINFO RT LP", strings.Fields(l)[0]); fixed && err == nil {
				t.Errorf("%s: %+d bytes are taken", l, change)
			}
		}
	}
	// A TTL with the highest bit set is 0.
	r := Record{Name: "\x01a\x00", Type: dns.TypeA, Class: dns.ClassINET, TTL: 1 << 31, Data: make([]byte, 4)}
	if again, _, err := ReadRecord(r.Append(nil), 0); err != nil || again.TTL != 0 {
		t.Errorf("TTL %d, %v", again.TTL, err)
	}
}

// TestOddText writes data that the dns package does not write as it is, some of
// which would be a record of its own.
func TestOddText(t *testing.T) {
	for _, r := range []Record{
		{Type: dns.TypeNULL, Data: []byte("x\nwww.example. 60 IN A 192.0.2.66\n;")},
		{Type: dns.TypeNULL, Data: []byte("\x1b[2J")},
		{Type: dns.TypeCAA, Data: []byte{0}},
		{Type: dns.TypeSSHFP, Data: nil},
		{Type: dns.TypeCDS, Data: []byte{1}},
		{Type: dns.TypeLOC, Data: []byte(strings.Repeat("\xff", 16))},
		{Type: dns.TypeGPOS, Data: []byte("\x00\x00\x00")},
		{Type: dns.TypeISDN, Data: nil},
	} {
		r.Name, r.Class, r.TTL = "\x01a\x00", dns.ClassINET, 60
		want := fmt.Sprintf("a.\t60\tIN\tTYPE%d\t\\# %d %x", r.Type, len(r.Data), r.Data)
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzReadName agrees with the dns package.
func FuzzReadName(f *testing.F) {
	f.Add([]byte("\x01a\x07example\x00\xc0\x02"), 11)
	f.Add([]byte("\xc0\x00"), 0)
	f.Fuzz(func(t *testing.T, msg []byte, at int) {
		n, next, err := ReadName(msg, at)
		if (n == "") != (err != nil) {
			t.Fatalf("%q beside %v", n, err)
		}
		if err != nil {
			return
		}
		if len(n) > MaxName || next <= at || next > len(msg) {
			t.Fatalf("%q, next %d", n, next)
		}
		text, theirNext, theirs := dns.UnpackDomainName(msg, at)
		if theirs != nil || theirNext != next || dns.CanonicalName(text) != n.String() {
			t.Fatalf("%s, %d; the dns package has %s, %d, %v", n, next, text, theirNext, theirs)
		}
		if again, err := ParseName(n.String()); err != nil || again != n {
			t.Fatalf("%s is %q, then %q, %v", n, string(n), string(again), err)
		}
	})
}

// FuzzReadRecord reads any record: what is read reads the same again.
func FuzzReadRecord(f *testing.F) {
	for _, l := range []string{"A 192.0.2.1", "SOA ns. h. 1 2 3 4 5", `TXT "a" "b"`, "SRV 1 2 3 x."} {
		rr, err := dns.NewRR("owner.example. 60 IN " + l)
		if err != nil {
			f.Fatal(err)
		}
		r, err := FromRR(rr)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Append(nil), 0)
	}
	f.Fuzz(func(t *testing.T, msg []byte, at int) {
		r, next, err := ReadRecord(msg, at)
		if err != nil {
			return
		}
		if next <= at || next > len(msg) {
			t.Fatalf("next %d", next)
		}
		again, end, err := ReadRecord(r.Append(nil), 0)
		if err != nil || end != len(r.Append(nil)) || fmt.Sprint(again) != fmt.Sprint(r) {
			t.Fatalf("%+v, then %+v, %v", r, again, err)
		}
		if text := r.String(); strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' }) {
			t.Fatalf("more than a line: %q", text)
		}
		before, names := CompressibleNames(r.Type)
		data := r.Data[before:]
		for range names {
			_, n, err := ReadName(data, 0)
			if err != nil {
				t.Fatalf("%s: no name at %d: % x", TypeString(r.Type), before, r.Data)
			}
			data = data[n:]
		}
	})
}

// TestFoldData: names in data lose their case, and nothing else changes.
func TestFoldData(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"a NS NS1.Example.", "a NS ns1.example."},
		{"a MX 16705 MX.Example.", "a MX 16705 mx.example."}, // 0x4141: AA
		{"a SOA NS. H.A. 1094795585 2 3 4 5", "a SOA ns. h.a. 1094795585 2 3 4 5"},
		{"a SRV 16705 16705 16705 T.Example.", "a SRV 16705 16705 16705 t.example."},
		{`a NAPTR 1 2 "U" "SIP" "!A!B!" R.Example.`, `a NAPTR 1 2 "U" "SIP" "!A!B!" r.example.`},
		{`a CNAME X\000Y.Example.`, `a CNAME x\000y.example.`},
		{`a TXT "Big Text"`, `a TXT "Big Text"`},
		{"a A 65.66.67.68", "a A 65.66.67.68"},
		{"a RRSIG A 8 2 60 20300101000000 20200101000000 16705 Example. QUJD", "a RRSIG A 8 2 60 20300101000000 20200101000000 16705 example. QUJD"},
		{"a HTTPS 1 Svc.Example. alpn=H2", "a HTTPS 1 svc.example. alpn=H2"},
		{`a TYPE65280 \# 3 414243`, `a TYPE65280 \# 3 414243`},
	} {
		rr, err := dns.NewRR(c.line)
		if err != nil {
			t.Fatal(err)
		}
		r, err := FromRR(rr)
		if err != nil {
			t.Fatal(err)
		}
		want, err := dns.NewRR(c.want)
		if err != nil {
			t.Fatal(err)
		}
		w, err := FromRR(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := FoldData(r.Type, string(r.Data)); got != string(w.Data) || FoldData(r.Type, got) != got {
			t.Errorf("%s: %q, want %q", c.line, got, w.Data)
		}
	}
	// What is not well-formed is no reason to panic.
	for rrtype := range uint16(70) {
		for _, data := range []string{"", "\x3f", "\x01A", "\x00\x01\x3fA", strings.Repeat("\xff", 9)} {
			FoldData(rrtype, data)
		}
	}
}
