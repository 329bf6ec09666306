package zones

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nullspf/internal/dnsname"
	"nullspf/internal/peers"
)

func TestListsAsPeopleWriteThem(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"plain", "a.example\nb.example\n", "a.example b.example"},
		{"no newline at the end", "a.example", "a.example"},
		{"comments and blank lines", "# list\n\n  # more\na.example # mine\n\t\n", "a.example"},
		{"byte order mark and CRLF", "\ufeffa.example\r\nb.example\r\n", "a.example b.example"},
		{"blanks and no-break space", "  a.example\t\n\u00a0b.example\u00a0\n", "a.example b.example"},
		{"final dot and upper case", "A.Example.\n", "a.example"},
		{"IDN", "Bücher.example\nfaß.example\n例え.example\n", "xn--bcher-kva.example xn--fa-hia.example xn--r8jz45g.example"},
		{"A-label", "XN--BCHER-KVA.example\n", "xn--bcher-kva.example"},
		{"ideographic full stop", "例え。example\n", "xn--r8jz45g.example"},
		{"digits and hyphens", "4-you.example\n1.example\n", "1.example 4-you.example"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var names []string
			for _, e := range readSet(t, c.text).Entries {
				names = append(names, e.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestBrokenLists holds every directory of testdata/broken, a list each, against
// the errors that its file "want" promises.
func TestBrokenLists(t *testing.T) {
	dirs, err := filepath.Glob("testdata/broken/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no broken lists", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			lists, _ := filepath.Glob(filepath.Join(dir, "list.*"))
			if len(lists) != 1 {
				t.Fatalf("%s holds the lists %v, want one", dir, lists)
			}
			checkBroken(t, lists[0], strings.TrimSpace(readFile(t, dir, "want")))
		})
	}
}

// checkBroken reads a list that must be refused with the given lines.
func checkBroken(t *testing.T, path, want string) {
	t.Helper()
	set, _, err := ReadLists([]*Group{testGroup("generic", path)})
	if err == nil {
		t.Fatalf("accepted with %d names, want the error\n%s", len(set.Entries), want)
	}
	got := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestListsThatAreNoFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	checkBroken(t, filepath.Join(dir, "dir"), "dir: this is not a regular file; write the list to a file first")
	checkBroken(t, filepath.Join(dir, "fifo"), "fifo: this is not a regular file; write the list to a file first")
	checkBroken(t, filepath.Join(dir, "none"), "none: there is no such file; name the list of the group with the key list")
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("a.example\n"), 0); err != nil {
		t.Fatal(err)
	}
	peers.Unprivileged(func() {
		checkBroken(t, path, "secret: cannot read the list: permission denied")
	})
}

func TestEndlessLine(t *testing.T) {
	path := writeList(t, "list.txt", "a.example\n"+strings.Repeat("x", 10<<20)+"\nb..example\n")
	checkBroken(t, path, "list.txt:2: the line is longer than 4096 bytes\n"+
		`list.txt:3:2: "b..example": the name has an empty label ("..")`)
}

func TestAllFaultsAreToldUpToFifty(t *testing.T) {
	path := writeList(t, "list.txt", strings.Repeat("a_b.example\n", 60))
	_, _, err := ReadLists([]*Group{testGroup("generic", path)})
	var errs *ListErrors
	if !errors.As(err, &errs) || len(errs.Faults) != 50 || errs.More != 10 {
		t.Fatalf("got %v, want 50 faults and 10 more", err)
	}
	if !strings.HasSuffix(err.Error(), "\nand 10 more") {
		t.Errorf("the message ends with %q", err.Error()[len(err.Error())-20:])
	}
}

func TestDuplicates(t *testing.T) {
	path := writeList(t, "list.txt", "a.example\nb.example\nA.example.\na.example\n")
	set, duplicates, err := ReadLists([]*Group{testGroup("generic", path)})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Entries) != 2 || len(duplicates) != 2 {
		t.Fatalf("%d names and duplicates %v, want 2 and 2", len(set.Entries), duplicates)
	}
	if d := duplicates[0]; d != (Duplicate{"a.example", path + ":1", path + ":3"}) {
		t.Errorf("got %v", d)
	}

	other := writeList(t, "other.txt", "b.example\n")
	_, _, err = ReadLists([]*Group{testGroup("generic", path), testGroup("special", other)})
	want := fmt.Sprintf("%s:1: %q: already listed at %s:2, with another group or other columns; remove one of the two lines", other, "b.example", path)
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestCSV(t *testing.T) {
	special := testGroup("special", writeList(t, "s.txt", "s.example\n"))
	special.TXT = []string{"special"}
	list := writeList(t, "list.csv", "\ufeff# overrides\r\nDomain,mail,spf,a,group\r\n"+
		"a.example\r\n"+
		"\"b.example\", postmaster , plain,\"203.0.113.7 2001:db8::7\",\r\n"+
		"c.example,,,,special\r\n")
	set, _, err := ReadLists([]*Group{testGroup("generic", list), special})
	if err != nil {
		t.Fatal(err)
	}
	text := func(name string) string {
		e := set.Find(name)
		if e == nil {
			t.Fatalf("%s is missing", name)
		}
		b, _, _ := set.Template(e).Append(nil, name, 1)
		return string(b)
	}
	for name, wants := range map[string][]string{
		"a.example": {"MX    0 .", "192.0.2.80", "exists:", "group generic"},
		"b.example": {"MX    10 mail8.example.net.", "203.0.113.7", "2001:db8::7", `"v=spf1 -all"`},
		"c.example": {`"special"`, "group special"},
	} {
		for _, want := range wants {
			if !strings.Contains(text(name), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, text(name))
			}
		}
	}
	if strings.Contains(text("b.example"), "192.0.2.80") {
		t.Error("the addresses of the group stayed beside those of the line")
	}
}

func TestSuffixesCanBeAllowed(t *testing.T) {
	g := testGroup("generic", writeList(t, "list.txt", "co.uk\nexample\n"))
	g.AllowPublicSuffix, g.AllowSingleLabel = true, true
	if _, _, err := ReadLists([]*Group{g}); err != nil {
		t.Error(err)
	}
}

// TestLastDomain unpublishes the last domain of a group, and of all groups.
func TestLastDomain(t *testing.T) {
	path, dir := writeList(t, "list.txt", "a.example\n"), t.TempDir()
	g := testGroup("generic", path)
	read := func() *Set {
		set, _, err := ReadLists([]*Group{g})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	build(t, read(), dir, Options{})
	if err := os.WriteFile(path, []byte("# none\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	checkBroken(t, path, "list.txt: the list is empty, which would remove all its domains; set allow_empty: true in the group if that is meant")
	g.AllowEmpty = true
	wantChanges(t, build(t, read(), dir, Options{}), []Change{{"a.example", "generic", Removed, 2026112000, 0}})
	if text := readFile(t, dir, "manifest"); text != "" {
		t.Errorf("manifest: %q", text)
	}
	wantChanges(t, build(t, read(), dir, Options{}), nil)
}

// TestIDNA2003 publishes names that IDNA2008 refuses, when the group allows it,
// and knows them again.
func TestIDNA2003(t *testing.T) {
	path := writeList(t, "list.txt", "☃.example\nI❤.example\nfaß.example\nxn--1ug1855pcha.example\n")
	g := testGroup("generic", path)
	if _, _, err := ReadLists([]*Group{g}); err == nil || !strings.Contains(err.Error(), `list.txt:1:1: "☃.example": character '☃' (U+2603) is not allowed`) {
		t.Errorf("by default: %v", err)
	}
	g.AllowIDNA2003 = true
	set, _, err := ReadLists([]*Group{g})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(set.Warnings), "["+path+":1: IDNA2008 does not allow xn--n3h.example and 2 more names; they are published because of allow_idna2003]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	dir := t.TempDir()
	if n := len(build(t, set, dir, Options{})); n != 4 {
		t.Errorf("%d zones", n)
	}
	wantChanges(t, build(t, set, dir, Options{Now: day("2030-01-01")}), nil)
	if faults, err := Audit(context.Background(), dir, nil); err != nil || len(faults) > 0 {
		t.Errorf("%v, %v", faults, err)
	}
	if err := os.Remove(filepath.Join(dir, "manifest")); err != nil {
		t.Fatal(err)
	}
	wantChanges(t, build(t, set, dir, Options{Now: day("2030-01-01")}), nil)
}

func TestInfrastructureInsideAZone(t *testing.T) {
	set := readSet(t, "example.net\nb.example\n")
	err := set.CheckInfrastructure([]Infrastructure{{"ns1.example.net", "nameserver"}, {"_spf.example.org", "tracking zone"}})
	if err == nil || !strings.Contains(err.Error(), "list.txt:1: \"example.net\": this zone would contain the nameserver ns1.example.net") {
		t.Errorf("got %v", err)
	}
	if err := set.CheckInfrastructure([]Infrastructure{{"ns1.example.org", "nameserver"}}); err != nil {
		t.Error(err)
	}
}

func FuzzReadList(f *testing.F) {
	f.Add("a.example\n", false, "")
	f.Add("domain,mail\na.example,nullmx\n", true, "")
	f.Add("\ufeffdomain,a\n\"a.example\",\"192.0.2.1\n", true, "")
	f.Add("<html>\n", false, "")
	f.Add("a\x00b\n;{}\"\n", false, "")
	f.Add("sep=;\r\n\"Domain Name\";Mail\r\n\"a.example\";nullmx\r\n", true, "domain name")
	f.Add("Domain\tMail\ra.example\t\r", false, "Domain")
	f.Fuzz(func(t *testing.T, text string, isCSV bool, column string) {
		list := List{File: "list", Column: column}
		if isCSV {
			list.File = "list.csv"
		}
		r := &listReader{set: &Set{Groups: []*Group{testGroup("generic")}, lists: []string{list.File}}, list: list}
		err := r.read(strings.NewReader(text))
		r.finish()
		if err != nil || r.errs.orNil() != nil {
			return
		}
		for i := range r.set.Entries {
			e := &r.set.Entries[i]
			if !dnsname.IsLDH(e.Name) {
				t.Errorf("accepted %q", e.Name)
			}
			if _, err := r.set.Template(e).Records(e.Name, 1); err != nil {
				t.Errorf("the zone of %q does not parse: %v", e.Name, err)
			}
		}
	})
}
