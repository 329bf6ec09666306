package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"nullspf/internal/attempt"
	"nullspf/internal/files"
	"nullspf/spftrack"
)

// Creator writes segments of events that are known already, as nullspfd would have
// sealed and joined them: attempts are marked, a segment holds the events of one UTC
// day. Until Close the directory stays as it was for readers.
type Creator struct {
	at        *place
	made      bool // by Create
	manifest  *Manifest
	sealing   *sealing
	summaries *summaryWorkers
}

// createdRows is how many rows a segment of a Creator has at most: while the next one is
// written, the summary of one is made.
const createdRows = 1 << 20

// ErrNotEmpty is told of a directory in which something is already.
var ErrNotEmpty = errors.New("is not empty")

// Create begins a journal of a server in a directory, which is made, or must be
// empty: else the error wraps ErrNotEmpty.
func Create(dir, server string) (*Creator, error) {
	if !validServer(server) {
		return nil, errServer(server)
	}
	entries, err := os.ReadDir(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err != nil && !made {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s %w", dir, ErrNotEmpty)
	}
	at, err := takePlace(dir)
	if err != nil {
		return nil, err
	}
	c := &Creator{
		at:        at,
		made:      made,
		manifest:  &Manifest{Server: server, Next: 1, Wall: time.Now().Unix()},
		sealing:   &sealing{dir: dir, read: 1, maxRows: createdRows},
		summaries: newSummaryWorkers(dir),
	}
	c.sealing.fold = attempt.New(attempt.Default, c.sealing.add)
	if err := c.manifest.store(dir); err != nil {
		return nil, errors.Join(err, c.Discard())
	}
	return c, nil
}

// Append continues a directory that Create began. A directory in which nullspfd has
// left events that are not sealed is refused.
func Append(dir string) (c *Creator, err error) {
	if err := isJournal(dir); err != nil {
		return nil, err
	}
	at, err := takePlace(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, at.Close())
		}
	}()
	wals, err := listWALs(dir)
	if err != nil {
		return nil, err
	}
	if len(wals) > 0 {
		return nil, fmt.Errorf("%s is the journal of a nullspfd: it has events that are not sealed", dir)
	}
	m, err := loadManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := removeUnlisted(dir, m); err != nil {
		return nil, err
	}
	var unread error
	u, err := beginSealing(dir, m, nil, nil, func(_ uint64, err error) { unread = err })
	if err = errors.Join(err, unread); err != nil {
		return nil, err
	}
	u.maxRows = createdRows
	return &Creator{at, false, m, u, newSummaryWorkers(dir)}, nil
}

// removeUnlisted removes what an end before Close left: segments behind all events of
// the manifest.
func removeUnlisted(dir string, m *Manifest) error {
	list, err := listSegments(dir)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.temporary || s.first >= m.Next {
			removeSegment(s.path)
		}
	}
	return nil
}

// Server is the server whose events they are.
func (c *Creator) Server() string { return c.manifest.Server }

// Next is the least number that the next event can have.
func (c *Creator) Next() uint64 { return c.sealing.read }

// Add writes an event, whose number must be at least Next; numbers in between have
// no event. The texts of the event must not change later.
func (c *Creator) Add(e *spftrack.Event) error {
	u := c.sealing
	if e.Seq < u.read {
		return fmt.Errorf("event %d comes after event %d", e.Seq, u.read-1)
	}
	u.gap(u.read, e.Seq-1, GapRestart)
	u.read = e.Seq + 1
	u.days = 0
	if err := u.fold.Push(e); err != nil {
		return err
	}
	c.summaries.take(u.finished)
	return nil
}

// Close completes the directory. The function ready, unless nil, is called when all
// segments are on disk, and before readers see them. Segments that no reader will see
// because of an error are removed by the next Append.
func (c *Creator) Close(ready func() error) (err error) {
	defer func() { err = errors.Join(err, c.at.Close()) }()
	if err := c.complete(ready); err != nil {
		_ = c.summaries.wait()
		c.sealing.abort()
		return err
	}
	return files.SyncDir(c.sealing.dir)
}

func (c *Creator) complete(ready func() error) error {
	u := c.sealing
	if err := u.fold.Flush(); err != nil {
		return err
	}
	m := c.manifest.clone()
	if err := u.complete(m); err != nil {
		return err
	}
	c.summaries.take(m.Segments[len(c.manifest.Segments):])
	if err := c.summaries.wait(); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	if err := m.store(u.dir); err != nil {
		return err
	}
	// Without it, who marks what follows reads segments.
	_ = writeRecent(u.dir, m)
	return nil
}

// Discard removes what was made since Create: all that is in the directory, and the
// directory itself, if it is new.
func (c *Creator) Discard() error {
	dir := c.at.path
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	if c.made {
		err = errors.Join(err, os.Remove(dir))
	}
	return errors.Join(err, c.Abort())
}

// Abort leaves the directory as it was.
func (c *Creator) Abort() error {
	_ = c.summaries.wait()
	c.sealing.abort()
	return c.at.Close()
}
