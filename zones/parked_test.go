package zones

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestParkedFile holds the file to what earlier versions wrote: nameservers of
// another version must refuse it or read it right.
func TestParkedFile(t *testing.T) {
	g, plain := testGroup("generic"), testGroup("plain")
	plain.A, plain.AAAA, plain.WWW, plain.DMARC, plain.TXT = nil, nil, false, "", nil
	plain.Mail, plain.SPF = NullMX, "plain"
	g.Lists = []List{{File: writeList(t, "list.csv", "domain,mail,spf,a\na.example\nb.example,postmaster\nc.example,,plain,192.0.2.7 2001:db8::7\n")}}
	plain.Lists = []List{{File: writeList(t, "list.txt", "d.example\n")}}
	set, _, err := ReadLists([]*Group{g, plain})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build(t, set, dir, Options{})
	got := readFile(t, dir, "parked")
	whole := got
	_, got, _ = strings.Cut(got, "\n") // the sum of the manifest
	got, _, _ = strings.Cut(got, parkedEnd)
	golden := filepath.Join("testdata", "parked")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("parked:\n%s\nwant:\n%s", got, want)
	}
	f, err := OpenParked(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Zones != 4 || len(f.Templates) != 4 {
		t.Errorf("%d zones, %d templates", f.Zones, len(f.Templates))
	}
	var lines []string
	err = f.Each(func(name []byte, v ParkedVariant, serial uint32) error {
		if serial != 2026112000 {
			t.Errorf("%s: serial %d", name, serial)
		}
		lines = append(lines, string(name)+" "+f.Templates[v.Template].Group+" "+v.Addresses)
		return nil
	})
	if want := "a.example generic 192.0.2.80,2001:db8::80, b.example generic 192.0.2.80,2001:db8::80, c.example generic 192.0.2.7,2001:db8::7, d.example plain "; err != nil || strings.Join(lines, ", ") != want {
		t.Errorf("zones %q, %v; want %q", strings.Join(lines, ", "), err, want)
	}
	for bit := range 8 * len(whole) {
		text := []byte(whole)
		text[bit/8] ^= 1 << (bit % 8)
		if _, err := readParked(bytes.NewReader(text), "parked"); err == nil {
			t.Fatalf("bit %d is changed, and nobody notices: %q", bit, text[max(0, bit/8-20):min(len(text), bit/8+20)])
		}
	}
	for n := range whole {
		if _, err := readParked(strings.NewReader(whole[:n]), "parked"); n > 0 && n != len(whole)-1 && err == nil {
			t.Fatalf("%d of %d bytes are taken for the whole", n, len(whole))
		}
	}
	if _, err := readParked(strings.NewReader(parkedHeadNoEnd+strings.Repeat("0", 64)+"\n"+got), "parked"); err != nil {
		t.Errorf("version 1: %v", err)
	}
	stop := errors.New("stop")
	if err := f.Each(func([]byte, ParkedVariant, uint32) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each goes on after %v: %v", stop, err)
	}
}

// TestParkedFileIsRestored writes the file again when somebody removed it.
func TestParkedFileIsRestored(t *testing.T) {
	dir := t.TempDir()
	set := readSet(t, "a.example\n")
	build(t, set, dir, Options{})
	remove(t, dir, "parked")
	build(t, set, dir, Options{})
	f, err := OpenParked(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzReadParked reads any text: no panic, no value beside an error, variants
// that exist.
func FuzzReadParked(f *testing.F) {
	text, err := os.ReadFile("testdata/parked")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(parkedHead + strings.Repeat("0", 64) + "\n" + string(text))
	f.Add(parkedHeadNoEnd + strings.Repeat("0", 64) + "\n" + string(text))
	f.Add(parkedHead)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readParked(strings.NewReader(text), "parked")
		if (p == nil) != (err != nil) {
			t.Fatalf("%v beside %v", p, err)
		}
		if err != nil {
			return
		}
		for _, z := range p.zones {
			if z.variant.Template >= len(p.templates) {
				t.Fatalf("zone %s has no template", z.name)
			}
			if _, _, err := z.variant.Addrs(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
