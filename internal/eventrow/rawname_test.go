package eventrow

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"nullspf/spftrack"
)

func TestShorten(t *testing.T) {
	var b Builder
	for _, c := range []struct{ name, want string }{
		{"mail.example.org.HE.user.LP.192.0.2.1.in-addr.CL.shop.example.FD.2._spf.example.net", `\h.HE.\l.LP.\i.in-addr.CL.\d.FD.2.\z`},
		{"192.0.2.1.in-addr.CL.shop.example.FD.1._spf.example.net", `\i.in-addr.CL.\d.FD.1.\z`},
		{"192.0.2.10.in-addr.CL.SHOP.example.FD.1._spf.example.net", `192.0.2.10.in-addr.CL.SHOP.example.FD.1.\z`},
		{"user.user.xuser.userx", `\l.\l.xuser.userx`},
		{"user", `\l`},
		{".", "."},
		{"", ""},
		{`a\\.user`, `a\\.user`},
		{`\007.user`, `\007.user`},
	} {
		r := Row{HELO: "mail.example.org", SenderLocal: "user", ClientIP: "192.0.2.1", ForgedDomain: "shop.example", Zone: "_spf.example.net", RawName: c.name}
		b.Shorten(&r)
		if r.RawName != c.want || r.Name() != c.name {
			t.Errorf("%s: short %s, whole %s", c.name, r.RawName, r.Name())
		}
		if b.Shorten(&r); r.RawName != c.want {
			t.Errorf("%s: short again: %s", c.name, r.RawName)
		}
	}
	// Of an empty row, and of what no nullspfd has written.
	for name, want := range map[string]string{`\h.HE.\i`: ".HE.", `\x.\`: `\x.\`, `\\h`: `\\h`, `\.h`: `\.h`} {
		if got := (&Row{RawName: name}).Name(); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// inSQL is what the macro of docs/journal.md makes of a shortened name.
func inSQL(r *Row) string {
	name := r.RawName
	if strings.Contains(name, `\\`) {
		return name
	}
	for _, part := range []struct{ letter, text string }{{`\h`, r.HELO}, {`\l`, r.SenderLocal}, {`\i`, r.ClientIP}, {`\d`, r.ForgedDomain}, {`\z`, r.Zone}} {
		name = strings.ReplaceAll(name, part.letter, part.text)
	}
	return name
}

// checkWhole fills a row and compares its name, and what SQL makes of it, with the event's.
func checkWhole(t *testing.T, b *Builder, e *spftrack.Event) (short bool) {
	t.Helper()
	var r Row
	b.Fill(&r, e)
	want := string(spftrack.AppendName(nil, e.Name))
	if len(e.Name) == 0 {
		want = ""
	}
	if r.Name() != want || inSQL(&r) != want {
		t.Fatalf("%+v: whole %q, in SQL %q, want %q", r, r.Name(), inSQL(&r), want)
	}
	old := r
	if old.RawName = want; old.Name() != want {
		t.Fatalf("of a segment with whole names: %q, want %q", old.Name(), want)
	}
	return r.RawName != want
}

// TestWholeNames: names that have the texts of columns, among labels of any bytes.
func TestWholeNames(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	labels := []string{"abc", "abcd", "h", "HE", `\h`, `\\l`, "a.b", ".", `\.i`, "192", "104", "\x00h", "\xff", " z", "d"}
	for c := range 256 {
		labels = append(labels, string([]byte{byte(c)}), string([]byte{'\\', byte(c)}))
	}
	some := func() string {
		words := make([]string, 1+rng.IntN(3))
		for i := range words {
			n := len(labels)
			if rng.IntN(40) > 0 {
				n = 4
			}
			words[i] = labels[rng.IntN(n)]
		}
		return strings.Join(words, ".")
	}
	var b Builder
	short := 0
	for range 20_000 {
		e := spftrack.Event{Zone: some(), Parsed: spftrack.Parsed{
			HELO: some(), SenderLocal: some(), Forged: some(), ClientIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.IntN(256))}),
		}}
		for _, part := range []string{e.HELO, some(), e.SenderLocal, e.ClientIP.String(), e.Forged, e.Zone} {
			for label := range strings.SplitSeq(part, ".") {
				if label != "" {
					e.Name = append(append(e.Name, byte(len(label))), label...)
				}
			}
			if rng.IntN(9) == 0 {
				label := labels[rng.IntN(len(labels))]
				e.Name = append(append(e.Name, byte(len(label))), label...)
			}
		}
		e.Name = append(e.Name, 0)
		if checkWhole(t, &b, &e) {
			short++
		}
		b.Reset()
	}
	if short < 2000 {
		t.Errorf("only %d names were shortened", short)
	}
}

func FuzzWholeName(f *testing.F) {
	f.Add([]byte("\x04mail\x07example\x02HE\x04user\x02LP\x00"), "mail.example", "user", "shop.example", "_spf.example.net")
	f.Add([]byte("\x03\\\\h\x03a.b\x03abc\x00"), "abc", `\\h`, "a.b", `\`)
	f.Add([]byte{1}, "", "", "", "")
	f.Fuzz(func(t *testing.T, name []byte, helo, local, domain, zone string) {
		var b Builder
		checkWhole(t, &b, &spftrack.Event{Name: name, Zone: zone, Parsed: spftrack.Parsed{HELO: helo, SenderLocal: local, Forged: domain}})
	})
}
