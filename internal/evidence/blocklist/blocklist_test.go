package blocklist

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/evidence/tier"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testList has a listed address at both ends of an octet, one with few names and a /64.
// The neighbours 203.0.113.8 and 2001:db8:7:1::/64 are not listed.
func testList() *List {
	at := time.Date(2026, 11, 27, 12, 34, 56, 0, time.UTC)
	entry := func(prefix string, hours int, names ...string) Entry {
		last := at.Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour)
		return Entry{
			Prefix: netip.MustParsePrefix(prefix), Tier: tier.Confirmed, First: last.Add(-48 * time.Hour), Last: last, Expires: last.Add(30 * 24 * time.Hour),
			Queries: 12, Networks: 3, Domains: len(names), Hours: 2, Sessions: 1, Names: names[:min(len(names), 3)],
		}
	}
	return &List{
		Tier: tier.Confirmed, At: at, Nameservers: []string{"ns1.example.net", "ns2.example.net"}, RName: "hostmaster.example.net",
		Entries: []Entry{
			entry("203.0.113.0/32", 700, "brand.example", "shop.example"),
			entry("203.0.113.7/32", 1, "brand.example", "shop.example", "a.example", "b.example"),
			entry("203.0.113.255/32", 2, strings.Repeat("a", 60)+".example", "shop.example"),
			entry("2001:db8:7::/64", 3, "brand.example", "xn--mnchen-3ya.example"),
			entry("2001:db8:8:1::/64", 4, "brand.example", "shop.example"),
		},
	}
}

// TestGolden compares each format with a file, whole and without entries.
func TestGolden(t *testing.T) {
	t.Parallel()
	empty := testList()
	empty.Entries = nil
	for _, f := range Formats {
		for name, l := range map[string]*List{f.Name: testList(), f.Name + ".empty": empty} {
			text, n := f.Bytes(l)
			if again, _ := f.Bytes(l); !bytes.Equal(text, again) {
				t.Errorf("%s: the same list twice gives two texts", name)
			}
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, text, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, want) {
				t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
			}
			if bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x7f || r < ' ' && r != '\n' && r != '\t' }) {
				t.Errorf("%s: not plain ASCII", name)
			}
			if strings.HasPrefix(name, "rbldnsd-ip4") && n != 3*min(len(l.Entries), 1) || strings.HasPrefix(name, "rbldnsd-ip6") && n != 2*min(len(l.Entries), 1) {
				t.Errorf("%s: %d entries", name, n)
			}
		}
	}
}

// TestGrowth: each format finds its own entries again, and no neighbours.
func TestGrowth(t *testing.T) {
	t.Parallel()
	for _, f := range Formats {
		l := testList()
		text, n := f.Bytes(l)
		check := func(what string, earlier string, want int) {
			t.Helper()
			if got, err := f.Growth(strings.NewReader(earlier), l); err != nil || got != want {
				t.Errorf("%s: %s: %d new, %v; want %d", f.Name, what, got, err, want)
			}
		}
		check("the same list", string(text), 0)
		check("no list", "", n)
		check("another text", "203.0.113.70 2001:db8:7:1::/64 1203.0.113.7\n", n)
		l.Entries = append(l.Entries, Entry{Prefix: netip.MustParsePrefix("2001:db8:8:2::/64")})
		if f.Name != "rbldnsd-ip4trie" {
			check("one more", string(text), 1)
		}
	}
	if _, err := Formats[0].Growth(strings.NewReader(strings.Repeat("x", 2<<20)), testList()); err == nil {
		t.Error("a file without an end to its word is read")
	}
}

// TestJSON: what was written is read again; what is cut at any place is refused.
func TestJSON(t *testing.T) {
	t.Parallel()
	text, _ := Formats[11].Bytes(testList())
	l, err := ReadJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	l.Nameservers, l.RName = testList().Nameservers, testList().RName
	if again, _ := Formats[11].Bytes(l); !bytes.Equal(again, text) {
		t.Errorf("read and written again:\n%s\nwant\n%s", again, text)
	}
	for n := range len(text) - 1 {
		if _, err := ReadJSON(text[:n]); err == nil {
			t.Fatalf("cut behind %d bytes of %d, it is read", n, len(text))
		}
	}
	for _, change := range [][2]string{
		{"203.0.113.7\"", "203.0.113.0/24\""}, {"2001:db8:7::/64", "2001:db8:7::/48"}, {"2001:db8:7::/64", "2001:db8:7::1/64"}, {"203.0.113.7\"", "203.0.113.0\""},
		{"203.0.113.7\"", "::ffff:203.0.113.7\""}, {"203.0.113.255", "203.0.113.6"}, {"blocklist 1", "blocklist 2"}, {"\n]}", "\n]} {}"}, {"\"hours\"", "\"minutes\""},
	} {
		if _, err := ReadJSON(bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)); err == nil {
			t.Errorf("%s instead of %s is read", change[1], change[0])
		}
	}
}

// TestDocuments: programs for JSON read JSON and STIX, whose identifiers stay.
func TestDocuments(t *testing.T) {
	t.Parallel()
	text, _ := Formats[12].Bytes(testList())
	var bundle struct {
		Type, ID string
		Objects  []map[string]any
	}
	if err := json.Unmarshal(text, &bundle); err != nil {
		t.Fatal(err)
	}
	later := testList()
	later.At = later.At.Add(time.Hour)
	other, _ := Formats[12].Bytes(later)
	for _, o := range bundle.Objects {
		id, _ := o["id"].(string)
		if !bytes.Contains(other, []byte(id)) || len(id) != len("indicator--00000000-0000-5000-8000-000000000000") || id[25] != '5' {
			t.Errorf("identifier %q", id)
		}
	}
	if len(bundle.Objects) != 5 || bundle.Type != "bundle" || bytes.Contains(other, []byte(bundle.ID)) {
		t.Errorf("%d objects, %s %s", len(bundle.Objects), bundle.Type, bundle.ID)
	}
}

// TestReasons: no name of a list breaks out of a reason, or out of a comment of 128 bytes.
func TestReasons(t *testing.T) {
	t.Parallel()
	e := testList().Entries[0]
	e.Domains, e.Names = 1_000_000, []string{strings.Repeat("a", 40), strings.Repeat("b", 40), strings.Repeat("c", 40)}
	if r := e.Reason(); len(r) > 128 {
		t.Errorf("%d bytes: %s", len(r), r)
	}
	for _, name := range []string{`a"b`, "a$b", "a\nb", `a\b`, "a b", "a;b", "a#b", "bücher", ""} {
		e.Names = []string{name}
		if r := e.Reason(); !strings.HasPrefix(r, "forged 1000000 domains, last ") {
			t.Errorf("%q: %s", name, r)
		}
	}
	if _, err := ParseFormat("bind"); err == nil || !strings.Contains(err.Error(), "rbldnsd-ip4trie, rbldnsd-ip6trie") {
		t.Errorf("%v", err)
	}
}

// FuzzReadJSON: a list that is read is in order, and is the same when it is written and
// read again.
func FuzzReadJSON(f *testing.F) {
	text, _ := Formats[11].Bytes(testList())
	f.Add(text)
	f.Add([]byte(`{"format":"nullspf blocklist 1","tier":"none","time":"2026-11-27T12:34:56Z","entries":[{"address":"203.0.113.7"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ReadJSON(text)
		if err != nil {
			return
		}
		NewIndex(l, l.At)
		again, n := Formats[11].Bytes(l)
		if n != len(l.Entries) {
			t.Fatalf("%d of %d entries", n, len(l.Entries))
		}
		second, err := ReadJSON(again)
		if err != nil {
			t.Fatalf("%v:\n%s", err, again)
		}
		if third, _ := Formats[11].Bytes(second); !bytes.Equal(again, third) {
			t.Fatalf("written twice:\n%s\n%s", again, third)
		}
	})
}
