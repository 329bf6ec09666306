package eventrow

import (
	"math/rand/v2"
	"strings"
	"testing"
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

// TestShortenAny: whatever a name and the columns are, the name comes back, also for who
// replaces one letter after the other.
func TestShortenAny(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	text := func() string {
		words := make([]string, 1+rng.IntN(3))
		for i := range words {
			words[i] = []string{"abc", "abcd", "h", "HE", `\\h`, `\.l`, `\104`, "a.b", "192"}[rng.IntN(9)]
		}
		return strings.Join(words, ".")
	}
	var b Builder
	short := 0
	for range 20_000 {
		r := Row{HELO: text(), SenderLocal: text(), ClientIP: text(), ForgedDomain: text(), Zone: text()}
		name := strings.Join([]string{r.HELO, text(), r.SenderLocal, r.ClientIP, text(), r.Zone}, ".")
		r.RawName = name
		b.Shorten(&r)
		if r.Name() != name {
			t.Fatalf("%+v: %s, want %s", r, r.Name(), name)
		}
		if !strings.Contains(name, `\`) {
			by := []string{`\h`, r.HELO, `\l`, r.SenderLocal, `\i`, r.ClientIP, `\d`, r.ForgedDomain, `\z`, r.Zone}
			got := r.RawName
			for i := 0; i < len(by); i += 2 {
				got = strings.ReplaceAll(got, by[i], by[i+1])
			}
			if got != name {
				t.Fatalf("%+v: %s, want %s", r, got, name)
			}
			short++
		}
		b.Reset()
	}
	if short < 100 {
		t.Error("only", short, "names without backslash")
	}
}
