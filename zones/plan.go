package zones

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nullspf/internal/serial"
)

// Kind says what a run does to a zone.
type Kind uint8

// The kinds. A restored zone's content is as the manifest has it, but its
// file was missing or had been changed by somebody else. An adopted zone is new
// in the manifest, and its file, which somebody else wrote, holds the same records
// in another form: the serial number stays.
const (
	Unchanged Kind = iota
	Added
	Adopted
	Changed
	Restored
	Removed
)

// String gives the word for messages and JSON.
func (k Kind) String() string {
	return [...]string{"unchanged", "added", "adopted", "changed", "restored", "removed"}[k]
}

// Change is what a run does to one zone.
type Change struct {
	Name  string
	Group string
	Kind  Kind
	// OldSerial is 0 for an added or adopted zone, Serial 0 for a removed one.
	OldSerial, Serial uint32
}

// Options are what a plan depends on besides the set and the directory.
type Options struct {
	Scheme Scheme
	// Now is the clock of the serial numbers.
	Now func() time.Time
	// Progress is called now and then with how many of the zones are done; nil
	// for none. It may be called from several goroutines.
	Progress func(done, total int)
}

// Plan is the difference between a set and an output directory.
type Plan struct {
	set      *Set
	dir      string
	opts     Options
	old      *manifest
	retired  *manifest
	kinds    []Kind   // by index of the set's entries
	serials  []uint32 // likewise
	hashes   []Hash   // likewise
	removed  []manifestEntry
	strays   []string // zone files of a killed run whose zones are not wanted
	counts   [Removed + 1]int
	replaced []bool // whether the file must be written, by index
	// adopted is set when the directory holds something that the manifest does not
	// know: a file that is newer and holds what it should, or a stray one.
	adopted atomic.Bool
}

// NewPlan compares a set with the output directory dir, which need not exist. It
// changes nothing.
func NewPlan(ctx context.Context, set *Set, dir string, opts Options) (*Plan, error) {
	old, err := loadManifest(dir)
	if err != nil {
		return nil, err
	}
	retired, err := loadRetired(dir)
	if err != nil {
		return nil, err
	}
	if err := checkParkedVersion(dir); err != nil {
		return nil, err
	}
	n := len(set.Entries)
	p := &Plan{
		set: set, dir: dir, opts: opts, old: old, retired: retired,
		kinds: make([]Kind, n), serials: make([]uint32, n), hashes: make([]Hash, n), replaced: make([]bool, n),
	}
	hasZones, err := holdsFiles(filepath.Join(dir, zonesDir))
	if err != nil {
		return nil, err
	}
	err = eachChunk(ctx, n, opts.Progress, func() func(i int) error {
		w := &comparer{plan: p, templates: newTemplates(set), hasZones: hasZones}
		return w.compare
	})
	if err != nil {
		return nil, err
	}
	for _, e := range old.entries {
		if set.Find(e.name) == nil {
			p.removed = append(p.removed, e)
		}
	}
	if p.strays, err = findStrays(dir, set, old); err != nil {
		return nil, err
	}
	if len(p.strays) > 0 {
		p.adopted.Store(true)
	}
	for _, k := range p.kinds {
		p.counts[k]++
	}
	p.counts[Removed] = len(p.removed)
	return p, nil
}

// Count returns how many zones are of a kind.
func (p *Plan) Count(k Kind) int { return p.counts[k] }

// Empty reports whether the zone files are as they should be.
func (p *Plan) Empty() bool { return p.counts[Unchanged] == len(p.kinds) && len(p.removed) == 0 }

// Previous returns how many zones the directory held.
func (p *Plan) Previous() int { return len(p.old.entries) }

// ManifestLost reports that there was no readable manifest although there were
// zone files, so that the serial numbers were taken from those.
func (p *Plan) ManifestLost() bool { return p.old.lost && len(p.old.entries) > 0 }

// Changes yields every zone that is not unchanged: the set's in order of
// their names, then the removed ones.
func (p *Plan) Changes(yield func(Change) bool) {
	for i, k := range p.kinds {
		if k == Unchanged {
			continue
		}
		e := &p.set.Entries[i]
		c := Change{Name: e.Name, Group: p.set.Group(e).Name, Kind: k, Serial: p.serials[i]}
		if old := p.old.find(e.Name); old != nil {
			c.OldSerial = old.serial
		}
		if !yield(c) {
			return
		}
	}
	for _, e := range p.removed {
		if !yield(Change{Name: e.name, Group: e.group, Kind: Removed, OldSerial: e.serial}) {
			return
		}
	}
}

// Texts returns the zone file of a change as it is on disk and as it will be;
// either is nil where there is none.
func (p *Plan) Texts(c Change) (before, after []byte, err error) {
	before, err = readZoneFile(filepath.Join(p.dir, zonesDir, ZoneFile(c.Name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if e := p.set.Find(c.Name); e != nil {
		after, _, _ = p.set.Template(e).Append(nil, c.Name, c.Serial)
	}
	return before, after, nil
}

// RemovalError says that a run would remove more zones than an oversight
// should be able to.
type RemovalError struct{ Removals, Previous, Allowed int }

// Error tells the way out.
func (e *RemovalError) Error() string {
	return fmt.Sprintf("the lists lack %d of the %d domains that are published now; more than %d at once need --allow-removals %d",
		e.Removals, e.Previous, e.Allowed, e.Removals)
}

// CheckRemovals refuses, with a *RemovalError, to remove more than ten zones
// and more than a twentieth of them, unless allowed is their exact number.
func (p *Plan) CheckRemovals(allowed int) error {
	limit := max(10, p.Previous()/20)
	if n := len(p.removed); n > limit && n != allowed {
		return &RemovalError{n, p.Previous(), limit}
	}
	return nil
}

// comparer is one worker's part of a plan.
type comparer struct {
	plan      *Plan
	templates *templates
	hasZones  bool
	text      []byte
	path      []byte
}

// compare decides about the zone with index i.
func (c *comparer) compare(i int) error {
	p := c.plan
	e := &p.set.Entries[i]
	old := p.old.find(e.Name)
	var oldSerial uint32
	if old != nil {
		oldSerial = old.serial
	}
	text, start, end := c.templates.of(e).Append(c.text[:0], e.Name, oldSerial)
	c.text = text
	hash := contentHash(text, start, end)
	p.hashes[i] = hash
	known := old != nil && !p.old.lost

	found := foundFile{size: -1}
	if c.hasZones {
		var err error
		if found, err = c.find(e.Name); err != nil {
			return err
		}
	}
	if known && old.hash == hash && !found.link && found.size == int64(len(text)) && found.modified.Before(p.old.written) {
		p.serials[i] = oldSerial
		return nil
	}
	return c.settle(i, e, old, known, found)
}

// settle decides about a zone whose file is not simply as it should be.
func (c *comparer) settle(i int, e *Entry, old *manifestEntry, known bool, found foundFile) error {
	p := c.plan
	same := known && old.hash == p.hashes[i]
	p.kinds[i] = Added
	last, any := uint32(0), old != nil
	if any {
		p.kinds[i], last = Changed, old.serial
	} else if before := p.retired.find(e.Name); before != nil {
		last, any = before.serial, true
	}
	if same {
		p.kinds[i] = Restored
	}
	touched := found.size >= 0 && (same || !known || found.link || !found.modified.Before(p.old.written))
	if touched {
		// Somebody wrote the file after the manifest, perhaps an earlier run
		// that was killed: what it did is kept.
		file, err := readZoneFile(c.zonePath(e.Name))
		if err != nil && !found.link {
			return err
		}
		have, ok := readSerial(file, e.Name)
		_, start, end, own := findSerial(file)
		if own && !found.link && contentHash(file, start, end) == p.hashes[i] && (!any || have == last || serial.Greater(have, last)) {
			p.serials[i] = have
			p.adopted.Store(true)
			if same && have == last || !known && old != nil {
				p.kinds[i] = Unchanged
			}
			return nil
		}
		if ok && old == nil && !found.link && (!any || have == last || serial.Greater(have, last)) && p.sameRecords(e, file, have) {
			p.kinds[i], p.serials[i], p.replaced[i] = Adopted, have, true
			return nil
		}
		if ok && (!any || serial.Greater(have, last)) {
			last, any = have, true
		}
	}
	p.replaced[i] = true
	switch {
	case same && !touched:
		p.serials[i] = last
	case any:
		p.serials[i] = p.opts.Scheme.next(last, p.opts.Now())
	default:
		p.serials[i] = p.opts.Scheme.first(p.opts.Now())
	}
	return nil
}

// foundFile is what a file system knows of a zone file; size is -1 when there
// is none.
type foundFile struct {
	size     int64
	modified time.Time
	// link is set for a symbolic link, which is replaced.
	link bool
}

func (c *comparer) zonePath(name string) string {
	c.path = append(c.path[:0], c.plan.dir...)
	c.path = append(c.path, "/"+zonesDir+"/"...)
	c.path = append(c.path, ZoneFile(name)...)
	return string(c.path)
}

func (c *comparer) find(name string) (foundFile, error) {
	info, err := os.Lstat(c.zonePath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return foundFile{size: -1}, nil
	}
	if err != nil {
		return foundFile{}, err
	}
	link := info.Mode().Type() == fs.ModeSymlink
	if !info.Mode().IsRegular() && !link {
		return foundFile{}, fmt.Errorf("%s is not a regular file; move it away", c.zonePath(name))
	}
	return foundFile{info.Size(), info.ModTime(), link}, nil
}

func holdsFiles(dir string) (bool, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, _ := f.Readdirnames(1)
	return len(names) > 0, nil
}

// eachChunk calls, on every processor, the function that newWorker returns for
// its share of the indices 0..n-1, until one fails or ctx ends.
func eachChunk(ctx context.Context, n int, progress func(done, total int), newWorker func() func(i int) error) error {
	const chunk = 256
	var next, done atomic.Int64
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n/chunk+1)
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			work := newWorker()
			for {
				start := int(next.Add(chunk)) - chunk
				if start >= n || ctx.Err() != nil {
					return
				}
				end := min(start+chunk, n)
				for i := start; i < end; i++ {
					if err := work(i); err != nil {
						errs[w] = err
						next.Store(int64(n))
						return
					}
				}
				if progress != nil {
					progress(int(done.Add(int64(end-start))), n)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}
