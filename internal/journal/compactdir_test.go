package journal

import (
	"os"
	"path/filepath"
	"testing"

	"nullspf/internal/eventrow"
)

// TestWholeNames: a segment is of an earlier version when its names say what other columns
// have.
func TestWholeNames(t *testing.T) {
	row := func(name string) eventrow.Row {
		return eventrow.Row{Kind: "exists", Zone: "_spf.example.net", ForgedDomain: "shop.example", ClientIP: "192.0.2.1", RawName: name}
	}
	for name, c := range map[string]struct {
		rows []eventrow.Row
		want bool
	}{
		"whole":      {[]eventrow.Row{row("192.0.2.1.in-addr.CL.shop.example.FD.1._spf.example.net")}, true},
		"one is":     {[]eventrow.Row{row(`\i.in-addr.CL.\d.FD.1.\z`), row("1._spf.example.net")}, true},
		"shortened":  {[]eventrow.Row{row(`\i.in-addr.CL.\d.FD.1.\z`), row(`in-addr.CL.other.example.FD.1.\z`)}, false},
		"upper case": {[]eventrow.Row{row("192.0.2.9.IN-ADDR.CL.SHOP.EXAMPLE.FD.1._SPF.EXAMPLE.NET")}, false},
		"escapes":    {[]eventrow.Row{row(`\007.shop.example._spf.example.net`)}, false},
		"no names":   {[]eventrow.Row{{Kind: "smtp", ClientIP: "192.0.2.1"}}, false},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "segment"))
		if err != nil {
			t.Fatal(err)
		}
		w := newRowWriter(f)
		if err := w.write(c.rows); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		s := &SegmentFile{Segment: Segment{Bytes: info.Size()}, f: f, verified: true}
		if got, err := s.wholeNames(); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}
