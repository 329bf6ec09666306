package zones

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/files"
)

// TestPipeInPlaceOfAFile: a named pipe in the output directory holds up neither a
// run nor a server that reads the directory: it is refused or replaced.
func TestPipeInPlaceOfAFile(t *testing.T) {
	for name, replaced := range map[string]bool{
		manifestFile: false, parkedFile: false, retiredFile: false, inputsFile: false, handKeptFile: false,
		CatalogFile: false, "include/generic.inc": true, "zones/a.example.zone": false,
	} {
		dir := t.TempDir()
		set := readSet(t, "a.example\n")
		set.HandKept = []HandKept{{Name: "shop.example", File: writeList(t, "shop.db", handKeptHead), Group: set.Groups[0]}}
		made := append(IncludeFiles(set), File{Path: CatalogFile, Mode: 0o644, Zone: "catalog.invalid", Write: killedFiles(set)[0].Write})
		run := func() error {
			p, err := NewPlan(context.Background(), set, dir, Options{Scheme: Increment, Now: day("2026-11-20")})
			if err != nil {
				return err
			}
			states, err := p.HandKept(made)
			if err != nil {
				return err
			}
			if _, err := p.FileChanges(made, Hash{}); err != nil {
				return err
			}
			return errors.Join(p.Write(context.Background(), made, Hash{}), p.SaveHandKept(states))
		}
		if err := run(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() {
			_, err := Audit(context.Background(), dir, nil)
			_, names := PublishedZones(dir, "a", 1)
			_, serials := ReadSerials(dir)
			output, parked := OpenParked(dir)
			if parked == nil {
				parked = output.Close()
			}
			if name == manifestFile || name == parkedFile || name == CatalogFile {
				if !errors.Is(parked, files.ErrNotRegular) {
					t.Errorf("%s: opened with %v", name, parked)
				}
			}
			if name == manifestFile && (err == nil || names == nil || serials == nil) {
				t.Errorf("%v, %v, %v", err, names, serials)
			}
			done <- run()
		}()
		select {
		case err := <-done:
			if (err == nil) != replaced {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: held up", name)
		}
	}
}
