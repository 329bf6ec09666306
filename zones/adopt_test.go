package zones

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAdopt has zone files of others in an output directory without a manifest:
// only one with exactly the records that the zone should have keeps its serial
// number, whatever its form.
func TestAdopt(t *testing.T) {
	const name = "a.example"
	set := readSet(t, name+"\n")
	rrs, err := set.Template(&set.Entries[0]).Records(name, 7)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, rr := range rrs {
		lines = append([]string{rr.String()}, lines...) // the SOA last
	}
	same := strings.Join(lines, "\n") + "\n"
	soa := lines[len(lines)-1]
	upper := func(old string) string {
		t.Helper()
		if strings.Count(same, old) == 0 {
			t.Fatalf("no %q in\n%s", old, same)
		}
		return strings.ReplaceAll(same, old, strings.ToUpper(old))
	}
	replaced := func(old, with string) string {
		t.Helper()
		if strings.Count(same, old) == 0 {
			t.Fatalf("no %q in\n%s", old, same)
		}
		return strings.Replace(same, old, with, 1)
	}
	for _, c := range []struct {
		what, file string
		kind       Kind
		serial     uint32
	}{
		{"another order", same, Adopted, 7},
		{"a record twice", same + lines[0] + "\n", Adopted, 7},
		{"upper case in names", upper("ns1.example.net."), Adopted, 7},
		{"upper case in an owner name", upper("www.a.example."), Adopted, 7},
		{"upper case in a text", replaced("This domain", "THIS domain"), Added, 2026112000},
		{"a text in two strings", replaced("This domain sends", `This domain" " sends`), Added, 2026112000},
		{"one record more", same + "a.example. 3600 IN A 192.0.2.1\n", Added, 2026112000},
		{"one record less", strings.Replace(same, lines[0]+"\n", "", 1), Added, 2026112000},
		{"another TTL", replaced("\t3600\t", "\t3601\t"), Added, 2026112000},
		{"another expire time", strings.Replace(same, soa, strings.Replace(soa, "2419200", "2419201", 1), 1), Added, 2026112000},
		{"a fault behind the records", same + "$NOTHING\n", Added, 2026112000},
		{"an include", same + "$INCLUDE /dev/null\n", Added, 2026112000},
		{"no serial number", strings.Replace(same, soa+"\n", "", 1), Added, 2026112000},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, zonesDir, ZoneFile(name))
			if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.file), 0o644); err != nil {
				t.Fatal(err)
			}
			wantChanges(t, build(t, set, dir, Options{}), []Change{{name, "generic", c.kind, 0, c.serial}})
			if serial, _, _, ok := findSerial([]byte(readFile(t, path))); !ok || serial != c.serial {
				t.Errorf("the file has serial number %d", serial)
			}
			wantChanges(t, build(t, set, dir, Options{}), nil)
		})
	}
}

// TestAdoptAfterRemoval has a zone file whose serial number is lower than that with
// which the zone was removed: it is not kept.
func TestAdoptAfterRemoval(t *testing.T) {
	const name = "a.example"
	dir := t.TempDir()
	set := readSet(t, name+"\n")
	build(t, set, dir, Options{})
	other := readSet(t, "b.example\n")
	build(t, other, dir, Options{})
	rrs, err := set.Template(&set.Entries[0]).Records(name, 2026111900)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, rr := range rrs {
		text.WriteString(rr.String() + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, zonesDir, ZoneFile(name)), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	both := readSet(t, "a.example\nb.example\n")
	wantChanges(t, build(t, both, dir, Options{}), []Change{{name, "generic", Added, 0, 2026112001}})
}
