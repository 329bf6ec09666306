package mailmaps

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nullspf/zones"
)

var update = flag.Bool("update", false, "write the golden files")

// testSet has domains of each mail mode.
func testSet(names ...string) *zones.Set {
	set := &zones.Set{Groups: []*zones.Group{{Name: "generic", Mail: zones.Postmaster}}}
	for _, name := range append([]string{"alpha.example", "brand.example.org", "xn--mnchen-3ya.example"}, names...) {
		set.Entries = append(set.Entries, zones.Entry{Name: name})
	}
	set.Entries = append(set.Entries,
		zones.Entry{Name: "y.example", Override: &zones.Override{Mail: zones.Nolisting}},
		zones.Entry{Name: "z.example", Override: &zones.Override{Mail: zones.NullMX}})
	return set
}

// oddReply has every character that a reply may have.
const oddReply = "It isn't used - see https://www.example.net/no_mail?x=1&y+z or #1 * ~ end."

func testSettings() Settings {
	return Settings{Postmaster: "postmaster@mail.example.net", RejectSender: true}
}

// configured reports whether a file is a configuration, not a table.
func configured(f zones.File) bool {
	return slices.Contains([]string{".mc", ".cf", ".conf"}, filepath.Ext(f.Path))
}

// write writes all files below dir.
func write(t *testing.T, dir string, s Settings, set *zones.Set) {
	t.Helper()
	files, err := Files(s, set)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content(t, f), f.Mode); err != nil {
			t.Fatal(err)
		}
	}
}

func content(t *testing.T, f zones.File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := f.Write(w, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	const dir = "testdata/golden"
	s := testSettings()
	s.Dir = "/srv/nullspf/build"
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		write(t, dir, s, testSet())
	}
	files, err := Files(s, testSet())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, f := range files {
		want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil {
			t.Fatal(err)
		}
		first, second := content(t, f), content(t, f)
		if !bytes.Equal(first, second) {
			t.Errorf("%s: the second write differs", f.Path)
		}
		if diff := cmp.Diff(string(want), string(first)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", f.Path, diff)
		}
		if f.Mode != 0o644 || f.Zone != "" || seen[f.Path] || !filepath.IsLocal(f.Path) {
			t.Errorf("%s: mode %v, zone %q", f.Path, f.Mode, f.Zone)
		}
		seen[f.Path] = true
	}
}

// TestDomains checks that each table has the domains whose hosts accept mail,
// and no other.
func TestDomains(t *testing.T) {
	files, err := Files(testSettings(), testSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := string(content(t, f))
		if configured(f) {
			continue
		}
		for _, name := range []string{"alpha.example", "brand.example.org", "y.example"} {
			if !strings.Contains(text, name) {
				t.Errorf("%s lacks %s", f.Path, name)
			}
		}
		if senders := strings.Contains(f.Path, "sender") || strings.Contains(f.Path, "access.a"); strings.Contains(text, "z.example") != senders {
			t.Errorf("%s: a domain with a null MX is in the tables of senders alone", f.Path)
		}
	}
}

// TestRejectSender checks that nothing refers to tables of senders which are not
// made.
func TestRejectSender(t *testing.T) {
	s := testSettings()
	s.RejectSender = false
	files, err := Files(s, testSet())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text := f.Path + "\n" + string(content(t, f))
		for _, name := range []string{"sender_access", "/senders", "_sender", "access.appendix", "access_db"} {
			if strings.Contains(text, name) {
				t.Errorf("%s is mentioned: %s", name, text)
			}
		}
	}
}

func TestDirectories(t *testing.T) {
	for dir, want := range map[string]string{
		"":                        "/etc/postfix/nullspf",
		"build":                   "/etc/postfix/nullspf",
		"/srv/a b":                "/etc/postfix/nullspf",
		"/srv/$a":                 "/etc/postfix/nullspf",
		"/srv/a'":                 "/etc/postfix/nullspf",
		"/srv/a\nb":               "/etc/postfix/nullspf",
		"/srv/ä":                  "/etc/postfix/nullspf",
		"/srv/nullspf/build-1.0/": "/srv/nullspf/build-1.0/mail/postfix",
		"/":                       "/mail/postfix",
	} {
		s := testSettings()
		s.Dir = dir
		if got := s.directory("postfix"); got != want {
			t.Errorf("%q: got %s, want %s", dir, got, want)
		}
		for _, c := range s.configurations() {
			if regexp.MustCompile(`{\w+}`).MatchString(c.text) {
				t.Errorf("%s has a place that is not filled:\n%s", c.path, c.text)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	tests := map[string]struct {
		settings Settings
		want     string
	}{
		"plain":              {Settings{Postmaster: "pm+null_spf=1.x@mail.example.net"}, ""},
		"upper case":         {Settings{Postmaster: "Post@Mail.Example.NET"}, ""},
		"text":               {Settings{Reply: "Not used - see https://www.example.net/no-mail. It's #1*"}, "next to a space"},
		"text with URL":      {Settings{Reply: "Not used - see https://www.example.net/no-mail?x=1."}, ""},
		"no @":               {Settings{Postmaster: "root"}, "does not contain @"},
		"newline":            {Settings{Postmaster: "root@example.net\n@x.example evil"}, "an invalid domain"},
		"newline before":     {Settings{Postmaster: "a\nb@example.net"}, `with '\n'`},
		"two":                {Settings{Postmaster: "a@example.net,b@example.net"}, "an invalid domain"},
		"pipe":               {Settings{Postmaster: "|/bin/sh@example.net"}, "does not begin with"},
		"option":             {Settings{Postmaster: "-f@example.net"}, "does not begin with"},
		"route":              {Settings{Postmaster: "a%b@example.net"}, "with '%'"},
		"UUCP":               {Settings{Postmaster: "a!b@example.net"}, "with '!'"},
		"blank":              {Settings{Postmaster: "a b@example.net"}, "with ' '"},
		"quoted":             {Settings{Postmaster: `"a"@example.net`}, "does not begin with"},
		"no local part":      {Settings{Postmaster: "@example.net"}, "lacks a local part"},
		"two dots":           {Settings{Postmaster: "a..b@example.net"}, "a misplaced dot in its local part"},
		"dot at the end":     {Settings{Postmaster: "a.@example.net"}, "a misplaced dot in its local part"},
		"long local part":    {Settings{Postmaster: strings.Repeat("a", 65) + "@example.net"}, "longer than 64"},
		"long":               {Settings{Postmaster: "a@" + strings.Repeat("a.", 130) + "net"}, "longer than 254"},
		"no domain":          {Settings{Postmaster: "root@"}, "an invalid domain"},
		"address literal":    {Settings{Postmaster: "root@[192.0.2.1]"}, "an invalid domain"},
		"address":            {Settings{Postmaster: "root@192.0.2.1"}, "a number instead of a domain"},
		"IDN":                {Settings{Postmaster: "root@münchen.example"}, "A-labels"},
		"final dot":          {Settings{Postmaster: "root@example.net."}, "final dot"},
		"reply: newline":     {Settings{Reply: "no\r\n250 ok"}, `'\r'`},
		"reply: bell":        {Settings{Reply: "no\x07"}, `'\a'`},
		"reply: UTF-8":       {Settings{Reply: "non utilisé"}, "has"},
		"reply: parameter":   {Settings{Reply: "no %1"}, "'%'"},
		"reply: quote":       {Settings{Reply: `no "mail"`}, `has '"'`},
		"reply: comma":       {Settings{Reply: "no, never"}, "','"},
		"reply: code":        {Settings{Reply: "5.1.1 no"}, "begin with a letter"},
		"reply: blank":       {Settings{Reply: " "}, "begin with a letter"},
		"reply: two blanks":  {Settings{Reply: "no  mail"}, "two in a row"},
		"reply: blank after": {Settings{Reply: "no mail "}, "space at its end"},
		"reply: sentences":   {Settings{Reply: "No mail. Go"}, "next to a space"},
		"reply: long":        {Settings{Reply: strings.Repeat("a", 201)}, "longer than 200"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := zones.JoinKeyErrors(tt.settings.Validate())
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 400) {
				t.Errorf("the error is not safe to print: %q", err)
			}
			if err != nil {
				if files, err := Files(tt.settings, testSet()); err == nil || files != nil {
					t.Error("Files accepts the settings")
				}
			}
		})
	}
	faults := Settings{Postmaster: "x", Reply: "\n"}.Validate()
	if len(faults) != 2 || faults[0].Key != "postmaster" || faults[1].Key != "reply" {
		t.Errorf("not both faults: %v", faults)
	}
}

func TestMailbox(t *testing.T) {
	tests := map[string]struct {
		mailbox string
		names   []string
		want    string
	}{
		"elsewhere":           {"pm@mail.example.net", nil, ""},
		"none":                {"", nil, "alpha.example has mail mode postmaster"},
		"in the list":         {"pm@Brand.example.org", nil, "is in brand.example.org"},
		"in a null MX domain": {"pm@z.example", nil, "is in z.example"},
		"below the list":      {"pm@mail.alpha.example", nil, "is in alpha.example"},
		"below a null MX":     {"pm@mail.z.example", nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Files(Settings{Postmaster: tt.mailbox}, testSet(tt.names...))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestNoDomain checks that a set without mail needs no mailbox, and has empty
// tables.
func TestNoDomain(t *testing.T) {
	set := &zones.Set{Groups: []*zones.Group{{Mail: zones.NullMX}}, Entries: []zones.Entry{{Name: "a.example"}}}
	files, err := Files(Settings{}, set)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(string(content(t, f)), "a.example") {
			t.Errorf("%s has a domain with a null MX", f.Path)
		}
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	set := manyDomains(10000)
	files, err := Files(testSettings(), set)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		w := bufio.NewWriterSize(failing{}, 16)
		if err := f.Write(w, 0); !errors.Is(err, errFull) {
			t.Errorf("%s: got error %v", f.Path, err)
		}
	}
}

func manyDomains(n int) *zones.Set {
	set := &zones.Set{Groups: []*zones.Group{{Mail: zones.Postmaster}}, Entries: make([]zones.Entry, n)}
	for i := range set.Entries {
		set.Entries[i].Name = fmt.Sprintf("brand-%07d.example", i)
	}
	return set
}

// TestAllocations checks that the cost in memory does not grow with the set.
func TestAllocations(t *testing.T) {
	files, err := Files(testSettings(), manyDomains(5000))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(io.Discard)
	for _, f := range files {
		if n := testing.AllocsPerRun(5, func() { _ = f.Write(w, 0) }); n > 2 {
			t.Errorf("%s: %v allocations", f.Path, n)
		}
	}
}

func BenchmarkTables(b *testing.B) {
	files, err := Files(testSettings(), manyDomains(1_000_000))
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(io.Discard, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range files {
			if err := f.Write(w, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// FuzzSettings checks that whatever is accepted stays in its field: a table
// has as many lines as it should.
func FuzzSettings(f *testing.F) {
	f.Add("postmaster@mail.example.net", defaultReply, "/srv/build")
	f.Add("a\n@b.example c", "no\n250 yes", "/srv/$x\nmyhostname=x")
	f.Add("pm+x=1_2@mail.example.net", "See https://www.example.net/a#b", "/")
	f.Fuzz(func(t *testing.T, mailbox, reply, dir string) {
		s := Settings{Postmaster: mailbox, Reply: reply, Dir: dir, RejectSender: true}
		set := testSet()
		files, err := Files(s, set)
		if err != nil {
			if files != nil {
				t.Error("a value beside an error")
			}
			return
		}
		plain, err := Files(testSettings(), set)
		if err != nil {
			t.Fatal(err)
		}
		for i, file := range files {
			text := string(content(t, file))
			if strings.Count(text, "\n") != strings.Count(string(content(t, plain[i])), "\n") {
				t.Errorf("%s has another number of lines:\n%s", file.Path, text)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && r != '\t' && (r < ' ' || r > '~') }) {
				t.Errorf("%s has odd characters:\n%q", file.Path, text)
			}
		}
	})
}
