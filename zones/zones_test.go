package zones

import (
	"bufio"
	"context"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/dnsname"
)

// testGroup is a group that uses every kind of record.
func testGroup(name string, paths ...string) *Group {
	var lists []List
	for _, path := range paths {
		lists = append(lists, List{File: path})
	}
	return &Group{
		Name:  name,
		Lists: lists,
		SOA: SOA{
			MName: "ns1.example.net", RName: "hostmaster.example.net",
			Refresh: 2 * time.Hour, Retry: 15 * time.Minute, Expire: 28 * 24 * time.Hour, Minimum: 5 * time.Minute,
		},
		Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"},
		TTL:         time.Hour,
		A:           []netip.Addr{netip.MustParseAddr("192.0.2.80")},
		AAAA:        []netip.Addr{netip.MustParseAddr("2001:db8::80")},
		WWW:         true,
		Mail:        NullMX,
		MX: map[MailMode][]MX{
			NullMX:     {{}},
			Postmaster: {{"mail8.example.net", 10}, {"mail9.example.net", 10}},
			Nolisting:  {{"dead.example.net", 5}, {"mail8.example.net", 10}},
		},
		SPF: "track",
		SPFRecords: map[string]string{
			"plain": "v=spf1 -all",
			"track": "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net",
		},
		TXT: []string{
			"This domain sends no email",
			"All mail claiming to be from {domain} is forged",
		},
		DMARC:              "v=DMARC1; p=reject; sp=reject; np=reject; adkim=s; aspf=s; rua=mailto:dmarc@example.net",
		DMARCReportDomains: []dnsname.Name{"example.net"},
		DKIM:               true,
		WildcardSPF:        SPFOfDomain,
		WildcardMX:         true,
	}
}

// writeList writes a list file and returns its path.
func writeList(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readSet reads a list of a text into a set with one group.
func readSet(t testing.TB, text string) *Set {
	t.Helper()
	set, _, err := ReadLists([]*Group{testGroup("generic", writeList(t, "list.txt", text))})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// day is a clock that stands still.
func day(s string) func() time.Time {
	now, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return func() time.Time { return now }
}

// build plans and writes, and returns the changes as "kind name old new".
func build(t testing.TB, set *Set, dir string, opts Options, files ...File) []Change {
	t.Helper()
	if opts.Scheme == "" {
		opts.Scheme = DateSerial
	}
	if opts.Now == nil {
		opts.Now = day("2026-11-20")
	}
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	plan, err := NewPlan(context.Background(), set, dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	var changes []Change
	plan.Changes(func(c Change) bool { changes = append(changes, c); return true })
	if err := plan.Write(context.Background(), files, Hash{}); err != nil {
		t.Fatal(err)
	}
	return changes
}

func readFile(t testing.TB, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replaceInFile changes a file in place and gives it a new modification time.
func replaceInFile(t testing.TB, path, from, to string) {
	t.Helper()
	text := readFile(t, path)
	if !strings.Contains(text, from) {
		t.Fatalf("%s lacks %q", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(text, from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	future := time.Now().Add(time.Second)
	if err := os.Chtimes(path, future, future); err != nil {
		t.Fatal(err)
	}
}

// writeTo writes a file's content to w.
func writeTo(w io.Writer, f File) error {
	b := bufio.NewWriter(w)
	if err := f.Write(b, 1); err != nil {
		return err
	}
	return b.Flush()
}
