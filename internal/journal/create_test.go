package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nullspf/spftrack"
)

// TestCreate writes events of three days, some numbers being unused, and two
// queries of one check a day.
func TestCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "var")
	c, err := Create(dir, "ns1.example.net")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "ns1.example.net"); err == nil {
		t.Fatal("a directory was made twice")
	}
	if _, err := Append(dir); err == nil {
		t.Fatal("two write into one directory")
	}
	begin := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	add := func(c *Creator, i int) {
		t.Helper()
		e := spftrack.Event{
			Seq: uint64(2*i + 1), Time: begin.Add(time.Duration(i/10) * 24 * time.Hour).Add(time.Duration(i) * time.Millisecond).UnixNano(),
			Server: "ns1.example.net", Zone: testZone, QType: spftrack.TypeA, Resolver: netip.MustParseAddrPort("192.0.2.53:1024"),
			Parsed: spftrack.Parsed{
				Kind: spftrack.KindExists, ClientIP: netip.MustParseAddr("192.0.2.7"), Forged: "shop.example",
				SenderDomain: "shop.example",
			},
			Name: []byte(fmt.Sprintf("\x02%02d\x00", i)),
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		add(c, i)
	}
	if err := c.Add(&spftrack.Event{Seq: 59}); err == nil {
		t.Error("a number was used twice")
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "ns1.example.net"); err == nil {
		t.Error("a journal was begun where there is one")
	}
	report, err := CheckDir(t.Context(), dir)
	if err != nil || len(report.Problems) > 0 || report.Segments != 3 || report.Sealed != 30 {
		t.Fatalf("%+v, %v", report, err)
	}

	// What did not come to its end leaves nothing, what did is added.
	aborted, err := Append(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(aborted, 30)
	if err := aborted.Abort(); err != nil {
		t.Fatal(err)
	}
	failed, err := Append(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(failed, 30)
	if err := failed.Close(func() error { return errors.New("not now") }); err == nil {
		t.Fatal("an error was lost")
	}
	if report, err := CheckDir(t.Context(), dir); err != nil || report.Sealed != 30 {
		t.Fatalf("%+v, %v", report, err)
	}
	c, err = Append(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Next() != 60 || c.Server() != "ns1.example.net" {
		t.Errorf("goes on at %d as %s", c.Next(), c.Server())
	}
	for i := 30; i < 40; i++ {
		add(c, i)
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	report, err = CheckDir(t.Context(), dir)
	if err != nil || len(report.Problems)+len(report.Notes) > 0 || report.Segments != 4 || report.Sealed != 40 {
		t.Fatalf("%+v, %v", report, err)
	}
	if err := os.WriteFile(filepath.Join(dir, walDir, walName{81, 1}.String()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Append(dir); err == nil {
		t.Error("appended to the journal of a nullspfd")
	}
}

// TestCreateBelowFile: where no directory can be made, that is told once.
func TestCreateBelowFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := takePlace(filepath.Join(file, "var"))
	if err == nil || strings.Count(err.Error(), "mkdir") != 1 {
		t.Error(err)
	}
}

// TestSnapshotError: who may not read a journal learns who may.
func TestSnapshotError(t *testing.T) {
	t.Parallel()
	err := snapshotError("var", &fs.PathError{Op: "open", Path: "var/MANIFEST", Err: syscall.EACCES})
	if want := "journal var: open var/MANIFEST: permission denied; read it as root, as the user of nullspfd, or as a member of its group"; err.Error() != want {
		t.Error(err)
	}
}
