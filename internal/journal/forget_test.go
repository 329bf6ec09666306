package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

func TestParseSubject(t *testing.T) {
	for text, want := range map[string]Subject{
		"192.0.2.7":            {Addr: netip.MustParseAddr("192.0.2.7")},
		"::ffff:192.0.2.7":     {Addr: netip.MustParseAddr("192.0.2.7")},
		"2001:DB8::7":          {Addr: netip.MustParseAddr("2001:db8::7")},
		"J.Doe@Example.NET":    {Local: "j.doe", Domain: "example.net"},
		"\"a b\"@example.net":  {Local: `"a\032b"`, Domain: "example.net"},
		"a@b@mail.example.net": {Local: "a@b", Domain: "mail.example.net"},
	} {
		if got, err := ParseSubject(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "@", "a@", "@b", "192.0.2.0/24", "fe80::1%eth0", "example.net"} {
		if got, err := ParseSubject(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// TestSubject finds subjects in all columns, and no others.
func TestSubject(t *testing.T) {
	find := func(who string, row eventrow.Row) (bool, eventrow.Row) {
		s, err := ParseSubject(who)
		if err != nil {
			t.Fatal(err)
		}
		return s.finder().change(&row), row
	}
	for _, c := range []struct {
		who       string
		row, want eventrow.Row
	}{
		{"192.0.2.7", eventrow.Row{ClientIP: "192.0.2.7", HELO: "pc", RawName: "x"}, eventrow.Row{ClientIP: "192.0.2.0/24", HELO: "pc"}},
		{"192.0.2.7", eventrow.Row{ClientIP: "192.0.2.70", HELO: "[192.0.2.7]"}, eventrow.Row{ClientIP: "192.0.2.70"}},
		{"192.0.2.7", eventrow.Row{HELO: "dsl-192-0-2-7.isp.example"}, eventrow.Row{}},
		{"192.0.2.7", eventrow.Row{RawName: "7.2.0.192.in-addr.CL.x"}, eventrow.Row{}},
		{"192.0.2.7", eventrow.Row{RawName: "CL.192.0.2.7.FR.x"}, eventrow.Row{}},
		{"192.0.2.7", eventrow.Row{Resolver: "192.0.2.7", ResolverPort: 9}, eventrow.Row{Resolver: "192.0.2.0/24"}},
		{"192.0.2.7", eventrow.Row{ClientSubnet: "192.0.2.0/28"}, eventrow.Row{ClientSubnet: "192.0.2.0/24"}},
		{"2001:db8::7", eventrow.Row{ClientIP: "2001:db8::7", RawName: "x"}, eventrow.Row{ClientIP: "2001:db8::/48"}},
		{"2001:db8::7", eventrow.Row{RawName: "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.ip6.CL"}, eventrow.Row{}},
		{"j.doe@shop.example", eventrow.Row{SenderLocal: "J.Doe", SenderDomain: "shop.example", RawName: "j.doe.LP.x"}, eventrow.Row{SenderDomain: "shop.example"}},
		{"j.doe@shop.example", eventrow.Row{RawName: "CL.1.2.3.4.FR.j.doe@shop.example.HE.x"}, eventrow.Row{}},
	} {
		if found, got := find(c.who, c.row); !found || got != c.want {
			t.Errorf("%s in %+v: %v,\n%+v, want\n%+v", c.who, c.row, found, got, c.want)
		}
	}
	for _, row := range []eventrow.Row{
		{ClientIP: "192.0.2.70"}, {ClientIP: "192.0.2.0/24"}, {HELO: "1192-0-2-7.example"}, {HELO: "192.0.2.77"}, {RawName: "7.2.0.1921.in-addr"},
		{ClientSubnet: "192.0.2.0/24"}, {SenderLocal: "j.doe", SenderDomain: "other.example"},
	} {
		for _, who := range []string{"192.0.2.7", "j.doe@shop.example"} {
			if found, got := find(who, row); found || got != row {
				t.Errorf("%s is found in %+v", who, row)
			}
		}
	}
}

// TestForget: afterwards no file of the directory has the subject, counts are as
// before, and the rest of the events, too.
func TestForget(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	j := mustOpen(t, s)
	put := func(client string, seconds int) {
		p := idPacket(1)
		p.Qtype = spftrack.TypeTXT
		p.Name = packed(t, "mail.bot.example.HE.j-doe.LP."+client+".in-addr.CL.brand.example.FD.2."+s.Zones[0].Name)
		p.Time = testTime.Add(time.Duration(seconds) * time.Second).UnixNano()
		w := j.Worker(0)
		for !w.Put(p) {
			time.Sleep(time.Millisecond)
		}
		w.Commit()
	}
	for i := range 20 {
		put([]string{"203.0.113.7", "203.0.113.90"}[i%2], 100*i)
	}
	waitUntil(t, "all is sealed", func() bool { return j.Stats().Pending == 0 && j.Stats().WALFiles == 0 })
	mustClose(t, j)
	s.SegmentAge = time.Hour
	j = mustOpen(t, s)
	put("203.0.113.7", 5000) // not sealed
	waitUntil(t, "all is stored", func() bool { return j.Stats().Pending == 0 })
	who := Subject{Addr: netip.MustParseAddr("203.0.113.7")}
	if _, err := Forget(t.Context(), s.Dir, who, ReadOptions{}); err == nil {
		t.Error("nullspfd has the directory open")
	}
	mustClose(t, j)

	if !holds(t, s.Dir, "203.0.113.7") {
		t.Fatal("the address is not there before")
	}
	done, err := Forget(t.Context(), s.Dir, who, ReadOptions{})
	if err != nil || done.Events != 11 || done.Read != 21 || done.Segments == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if holds(t, s.Dir, "203.0.113.7") {
		t.Error("a file still has the address")
	}
	attempts, others := 0, 0
	for _, r := range rowsOf(t, s.Dir) {
		if r.Attempt {
			attempts++
		}
		if r.ClientIP == "203.0.113.90" && r.RawName != "" && r.SenderLocal == "j-doe" {
			others++
		}
	}
	if attempts != 21 || others != 10 {
		t.Errorf("%d attempts, %d of others", attempts, others)
	}
	checkClean(t, s.Dir)

	mailbox, err := ParseSubject("j-doe@brand.example")
	if err != nil {
		t.Fatal(err)
	}
	if done, err := Forget(t.Context(), s.Dir, mailbox, ReadOptions{}); err != nil || done.Events != 21 {
		t.Errorf("the mailbox: %+v, %v", done, err)
	}
	if holds(t, s.Dir, "j-doe") {
		t.Error("a file still has the local part")
	}
	if done, err := Forget(t.Context(), s.Dir, who, ReadOptions{}); err != nil || done.Events != 0 || done.Segments != 0 {
		t.Errorf("again: %+v, %v", done, err)
	}
	checkClean(t, s.Dir)
	text, err := os.ReadFile(filepath.Join(s.Dir, forgottenName))
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || len(lines) != 3 || !strings.Contains(lines[0], "\taddress\t~") || !strings.HasSuffix(lines[0], "\t11\t"+strings.TrimSpace(lines[0][strings.LastIndex(lines[0], "\t")+1:])) {
		t.Errorf("the file of what was forgotten: %v\n%s", err, text)
	}
}

// holds reports whether a file of a directory has a text: as it is, in decompressed
// columns, or in the summary of a segment.
func holds(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, []byte(text))
		return err
	})
	v, e := Snapshot(dir, ReadOptions{})
	if err = errors.Join(err, e); err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, r := range rowsOf(t, dir) {
		for _, c := range eventrow.Columns {
			if value := string(c.Append(nil, &r)); value == text || c == eventrow.RawName && strings.Contains(value, "."+text+".") {
				found = true
			}
		}
	}
	return found
}
