package zones

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHandKeptSettle(t *testing.T) {
	one, two := Hash{1}, Hash{2}
	file := func(h Hash) []includedFile { return []includedFile{{"include/generic.inc", h}} }
	for _, c := range []struct {
		what      string
		last, now handKeptRecord
		want      bool
		serial    uint32
	}{
		{"nothing changes", handKeptRecord{7, false, one, file(one)}, handKeptRecord{7, false, one, file(one)}, false, 7},
		{"the file changes", handKeptRecord{7, false, one, file(one)}, handKeptRecord{7, false, one, file(two)}, true, 7},
		{"only the zone changes", handKeptRecord{7, false, one, file(one)}, handKeptRecord{8, false, two, file(one)}, false, 8},
		{"the number was raised beforehand", handKeptRecord{7, false, one, file(one)}, handKeptRecord{8, false, one, file(two)}, false, 8},
		{"the number was raised for other records", handKeptRecord{7, false, one, file(one)}, handKeptRecord{8, false, two, file(two)}, true, 8},
		{"not raised yet", handKeptRecord{7, true, one, file(two)}, handKeptRecord{7, false, two, file(two)}, true, 7},
		{"raised", handKeptRecord{7, true, one, file(two)}, handKeptRecord{8, false, two, file(two)}, false, 8},
		{"set back", handKeptRecord{7, true, one, file(two)}, handKeptRecord{6, false, one, file(two)}, true, 7},
		{"raised past the greatest number", handKeptRecord{1<<32 - 1, true, one, file(two)}, handKeptRecord{1, false, one, file(two)}, false, 1},
		{"the file changes again", handKeptRecord{7, true, one, file(one)}, handKeptRecord{7, false, one, file(two)}, true, 7},
		{"another file is included", handKeptRecord{7, false, one, nil}, handKeptRecord{8, false, two, file(one)}, false, 8},
		{"no file is included any more", handKeptRecord{7, false, one, file(one)}, handKeptRecord{8, false, two, nil}, false, 8},
	} {
		c.now.settle(c.last)
		if c.now.behind != c.want || c.now.serial != c.serial {
			t.Errorf("%s: behind %t, serial %d", c.what, c.now.behind, c.now.serial)
		}
	}
}

// handKeptSite is an output directory with a zone kept by hand.
type handKeptSite struct {
	t    *testing.T
	dir  string
	set  *Set
	file string
}

func newHandKeptSite(t *testing.T) *handKeptSite {
	s := &handKeptSite{t: t, dir: t.TempDir(), set: readSet(t, "brand.example\n")}
	s.file = filepath.Join(t.TempDir(), "shop.db")
	s.set.HandKept = []HandKept{{Name: "shop.example", File: s.file, Group: s.set.Groups[0]}}
	return s
}

// zone writes the zone file.
func (s *handKeptSite) zone(serial int, rest string) {
	text := strings.Replace(handKeptHead, " 7 ", fmt.Sprintf(" %d ", serial), 1) + rest + "\n"
	if err := os.WriteFile(s.file, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// run plans, and with write does what is planned.
func (s *handKeptSite) run(write bool) HandKeptState {
	s.t.Helper()
	p, err := NewPlan(context.Background(), s.set, s.dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
	if err != nil {
		s.t.Fatal(err)
	}
	files := IncludeFiles(s.set)
	states, err := p.HandKept(files)
	if err != nil || len(states) != 1 {
		s.t.Fatal(states, err)
	}
	if write {
		if err := p.Write(context.Background(), files, Hash{byte(len(s.set.Groups[0].TXT))}); err != nil {
			s.t.Fatal(err)
		}
		if err := p.SaveHandKept(states); err != nil {
			s.t.Fatal(err)
		}
	}
	return states[0]
}

func TestHandKeptStates(t *testing.T) {
	s := newHandKeptSite(t)
	// The directory may have several names.
	link := filepath.Join(t.TempDir(), "published")
	if err := os.Symlink(s.dir, link); err != nil {
		t.Fatal(err)
	}
	include := "$INCLUDE " + link + "/include/generic.inc"
	s.zone(7, include)
	if got := s.run(false); got.Err != nil || got.Behind || got.Serial != 7 || fmt.Sprint(got.Includes) != "[include/generic.inc]" {
		t.Fatalf("before the first run: %+v", got)
	}
	s.run(true)

	text := &s.set.Groups[0].TXT
	*text = append(*text, "one more")
	for i := range 3 {
		// A plan does not change what is known.
		if got := s.run(false); !got.Behind {
			t.Errorf("plan %d: %+v", i, got)
		}
	}
	s.run(true)
	if got := s.run(true); !got.Behind {
		t.Errorf("after two runs: %+v", got)
	}
	s.zone(8, include+"\nwww IN A 192.0.2.1")
	if got := s.run(true); got.Behind || got.Serial != 8 {
		t.Errorf("raised: %+v", got)
	}

	// What is not known is taken from the disk.
	if err := os.Remove(filepath.Join(s.dir, handKeptFile)); err != nil {
		t.Fatal(err)
	}
	if got := s.run(false); got.Behind {
		t.Errorf("nothing changes: %+v", got)
	}
	*text = append(*text, "another one")
	if got := s.run(true); !got.Behind {
		t.Errorf("%+v", got)
	}

	// An unreadable zone does not make it forgotten.
	if err := os.WriteFile(s.file, []byte("<html>\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := s.run(true); got.Err == nil || got.Behind {
		t.Errorf("unreadable: %+v", got)
	}
	s.zone(8, include)
	if got := s.run(true); !got.Behind {
		t.Errorf("readable again: %+v", got)
	}

	path := filepath.Join(s.dir, handKeptFile)
	if err := os.WriteFile(path, []byte("shop.example\t8\tcurrent\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(context.Background(), s.set, s.dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.HandKept(nil); err == nil || !strings.Contains(err.Error(), path+":1: not a line of this version") {
		t.Errorf("damaged: %v", err)
	}
	s.set.HandKept = nil
	if states, err := p.HandKept(nil); err != nil || states != nil {
		t.Errorf("none: %v, %v", states, err)
	}
	if err := p.SaveHandKept(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// TestHandKeptLag: a server reloads a zone once, when its serial number has risen.
func TestHandKeptLag(t *testing.T) {
	s := newHandKeptSite(t)
	include := "$INCLUDE " + s.dir + "/include/generic.inc"
	s.zone(7, include)
	lag := func(apply bool, want ...string) {
		t.Helper()
		state := []HandKeptState{s.run(true)}
		p, err := NewPlan(context.Background(), s.set, s.dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Lag("1-bind-primary", Hash{}, state)
		if err != nil || fmt.Sprint(got.HandKept) != fmt.Sprint(want) || got.Empty() == (len(want) > 0) && !got.Unknown && len(got.Changed) == 0 {
			t.Errorf("%+v, %v, want %v", got, err, want)
		}
		if apply {
			if err := MarkApplied(s.dir, "1-bind-primary", Hash{}, state); err != nil {
				t.Fatal(err)
			}
		}
	}
	lag(true)
	lag(false)
	s.set.Groups[0].TXT = append(s.set.Groups[0].TXT, "one more")
	lag(true)
	lag(true)
	s.zone(8, include)
	lag(false, "shop.example")
	lag(true, "shop.example")
	lag(false)
	// The operator's own changes are the operator's.
	s.zone(9, include+"\nwww IN A 192.0.2.1")
	lag(false)
}

func TestHandKeptOnAList(t *testing.T) {
	set := readSet(t, "a.example\nb.example\n")
	err := set.AddHandKept([]HandKept{{Name: "b.example"}, {Name: "c.example"}})
	if err == nil || !strings.Contains(err.Error(), `:2: "b.example": the key handkept says that this zone is kept by hand`) || strings.Contains(err.Error(), "c.example") {
		t.Error(err)
	}
}
