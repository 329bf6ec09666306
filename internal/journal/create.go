package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"nullspf/internal/attempt"
	"nullspf/internal/files"
	"nullspf/spftrack"
)

// Creator writes a directory of segments, of events that are known already, as
// nullspfd would have sealed and joined them: attempts are marked, a segment holds
// the events of one UTC day.
type Creator struct {
	manifest *Manifest
	sealing  *sealing
}

// Create begins a journal of a server in a directory, which is made, or must be
// empty.
func Create(dir, server string) (*Creator, error) {
	for _, part := range []string{walDir, segDir} {
		if err := os.MkdirAll(filepath.Join(dir, part), 0o750); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if hasManifest(dir) || len(entries) > 2 {
		return nil, fmt.Errorf("%s is not empty", dir)
	}
	c := &Creator{
		manifest: &Manifest{Server: server, Next: 1, Wall: time.Now().Unix()},
		sealing:  &sealing{dir: dir, read: 1, maxRows: segmentRows},
	}
	c.sealing.fold = attempt.New(attempt.Default, c.sealing.add)
	return c, nil
}

// Add writes an event, whose number must be greater than that of the one before;
// numbers in between have no event. The texts of the event must not change later.
func (c *Creator) Add(e *spftrack.Event) error {
	u := c.sealing
	if e.Seq < u.read {
		return fmt.Errorf("event %d comes after event %d", e.Seq, u.read-1)
	}
	u.gap(u.read, e.Seq-1, GapRestart)
	u.read = e.Seq + 1
	u.days = 0
	return u.fold.Push(e)
}

// Close completes the directory.
func (c *Creator) Close() error {
	u := c.sealing
	if err := u.fold.Flush(); err != nil {
		return err
	}
	if err := u.complete(c.manifest); err != nil {
		return err
	}
	for i := range c.manifest.Segments {
		if err := writeSummary(u.dir, &c.manifest.Segments[i]); err != nil {
			return err
		}
	}
	if err := c.manifest.store(u.dir); err != nil {
		return err
	}
	if err := writeRecent(u.dir, c.manifest); err != nil {
		return err
	}
	return files.SyncDir(u.dir)
}
