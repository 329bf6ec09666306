package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nullspf/internal/attempt"
)

const (
	// maxPass bounds the wal files of one pass, so that a long backlog is
	// committed piece by piece.
	maxPass = 8
	// maxPasses bounds the passes between which bounds and compaction wait.
	maxPasses = 4
	// maxDays bounds the segments of one pass when the clock jumps to and fro.
	maxDays = 16
	// daySlack: events that are so little older than the day of their segment
	// stay in it.
	daySlack = time.Minute

	// sealEvery is how often the sealer looks for work unasked.
	sealEvery    = 200 * time.Millisecond
	sealRetryMin = time.Second
	sealRetryMax = time.Minute
)

// sealer turns closed wal files into segments, and keeps MANIFEST. Only its
// goroutine touches what is not atomic.
//
//	closed wal files -> sealing -> MANIFEST -> wal files are dropped
//	small segments   -> join    -> MANIFEST -> small segments are dropped
//	retention        ->            MANIFEST -> old segments are dropped
type sealer struct {
	j    *Journal
	wake chan struct{}
	stop <-chan struct{}
	// manifest is what MANIFEST says. It is never changed, only replaced.
	manifest atomic.Pointer[Manifest]

	// known tells our domains from others.
	known knownFunc

	// underWay is nil at the start, and after a failure.
	underWay *sealing
	// held is when a file was read last, in time since Open.
	held time.Duration

	unreadable unreadable
	// quarantined are the quarantined files, as listed at quarantineListed, in time
	// since Open; 0 asks for another look.
	quarantined      []quarantinedFile
	quarantineListed time.Duration

	sealed, damaged, expired, compactions atomic.Uint64

	// lookForSegments: the directory was made anew.
	lookForSegments atomic.Bool

	// In time since Open: when the counts of lost events were stored last, when
	// the bounds were last looked at, and when to try again after an error.
	lossesStored   time.Duration
	retained       time.Duration
	backoff, retry time.Duration

	mu  sync.Mutex
	err error
}

func newSealer(j *Journal, m *Manifest) *sealer {
	s := &sealer{j: j, wake: make(chan struct{}, 1), known: j.zones.known}
	s.manifest.Store(m)
	return s
}

// run seals until stop is closed.
func (s *sealer) run(stop <-chan struct{}) {
	s.stop = stop
	runtime.LockOSThread()
	yieldToAnswers()
	ticker := time.NewTicker(sealEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.wake:
		case <-ticker.C:
		case <-stop:
			_ = s.j.contain("sealing", func() error { s.discard(); return nil })
			return
		}
		s.work()
	}
}

// work does what is due. After an error it waits longer and longer before it
// seals again; the bounds of the directory hold all the same.
func (s *sealer) work() {
	if s.j.place.Load().lost() {
		return // the writer says so
	}
	now := s.j.elapsed()
	if now < s.retry && !s.lookForSegments.Load() {
		if now-s.retained > time.Second {
			// The error that matters is known.
			_ = s.j.contain("retention", s.retain)
		}
		return
	}
	var err error
	if s.lookForSegments.Load() {
		err = s.j.contain("sealing", s.forgetSegments)
	}
	if err == nil {
		err = s.j.contain("sealing", s.sealAll)
	}
	if errors.As(err, new(*panicError)) {
		_ = s.j.contain("sealing", func() error { s.discard(); return nil })
	}
	if err == nil {
		err = s.j.contain("compaction", s.compact)
	}
	if e := s.j.contain("retention", s.retain); err == nil {
		err = e
	}
	if e := s.j.contain("anonymisation", s.anonymise); err == nil {
		err = e
	}
	if err == nil && s.j.elapsed()-s.lossesStored > time.Minute {
		err = s.j.contain("sealing", s.storeLosses)
	}
	s.mu.Lock()
	before := s.err
	s.err = err
	s.mu.Unlock()
	if err == nil {
		s.backoff = 0
		return
	}
	s.backoff = min(max(2*s.backoff, sealRetryMin), sealRetryMax)
	s.retry = s.j.elapsed() + s.backoff
	if before == nil {
		s.j.log.Error().Err(err).Msg("cannot seal the events of the journal; they stay in wal files and can be read; sealing is tried again")
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (s *sealer) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// sealAll seals the closed files, or so many of them that other work does not
// wait for ever.
func (s *sealer) sealAll() error {
	for range maxPasses {
		if closed(s.stop) {
			return nil
		}
		files := s.unread()
		idle := len(files) == 0 && s.idle()
		if len(files) == 0 && !idle {
			return nil
		}
		if err := s.pass(files[:min(len(files), maxPass)], idle); err != nil {
			s.discard()
			if errors.Is(err, errStopping) {
				return nil
			}
			return err
		}
	}
	wake(s.wake)
	return nil
}

// idle reports whether the events that wait in the fold wait for nothing: no file
// is being written, and none was for as long as they are held.
func (s *sealer) idle() bool {
	hold := min(attempt.Default.Hold, s.j.settings.SegmentAge/2)
	return s.underWay != nil && s.underWay.waiting() && !s.j.wals.writing() && s.j.elapsed()-s.held > hold
}

// errStopping ends a pass when the journal is closed.
var errStopping = errors.New("the journal is being closed")

// unread returns the closed files that were not read yet.
func (s *sealer) unread() []walInfo {
	return slices.DeleteFunc(s.j.wals.sealable(), func(f walInfo) bool {
		return s.underWay != nil && s.underWay.hasRead(f.walName)
	})
}

// discard forgets what is under way; it is read again from the wal files.
func (s *sealer) discard() {
	if s.underWay != nil {
		s.underWay.abort()
		s.underWay = nil
	}
}

// pass reads files and seals what has left the fold; with flush, everything.
func (s *sealer) pass(files []walInfo, flush bool) (err error) {
	m := s.manifest.Load()
	if s.underWay == nil {
		if s.underWay, err = beginSealing(s.j.settings.Dir, m, s.known, s.stop, s.segmentFails); err != nil {
			return err
		}
	}
	u := s.underWay
	u.age, u.maxRows = s.j.age(), s.maxRows()
	for _, f := range files {
		if err := u.readFile(f); err != nil {
			return err
		}
	}
	if flush {
		if err := u.fold.Flush(); err != nil {
			return err
		}
	}
	s.held = s.j.elapsed()
	return s.commit(m)
}

// commit completes the segments, then MANIFEST, then drops the wal files of
// which nothing is left to seal.
func (s *sealer) commit(old *Manifest) error {
	u := s.underWay
	m := old.clone()
	if err := u.complete(m); err != nil {
		return err
	}
	if err := s.store(m); err != nil {
		return err
	}
	if m.Next != old.Next {
		// Without it, who marks what follows reads segments.
		_ = writeRecent(s.j.settings.Dir, m)
	}
	s.sealed.Add(u.events)
	s.damaged.Add(u.damaged)
	for _, w := range u.settle(m.Next) {
		if err := s.drop(w); err != nil {
			return err
		}
	}
	return nil
}

// segmentFails notes that a segment cannot be read.
func (s *sealer) segmentFails(first uint64, err error) {
	if s.unreadable.add(first, err) {
		s.j.log.Error().Err(err).Msg("cannot read a segment of the journal; run nullspf log check")
	}
}

// drop removes a wal file, or quarantines it when it is damaged.
func (s *sealer) drop(w readWAL) error {
	path := filepath.Join(s.j.settings.Dir, walDir, w.name.String())
	var err error
	if w.damaged {
		aside := path[:len(path)-len(walSuffix)] + damagedSuffix
		err = os.Rename(path, aside)
		s.quarantineListed = 0
		s.j.log.Warn().Str("file", aside).Str("lost", gapText(w.lost)).
			Msg("a journal file had damaged blocks; what could be read is stored, the file is quarantined")
	} else {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.j.wals.drop(w.name)
	return nil
}

// store completes a manifest and makes it the present one.
func (s *sealer) store(m *Manifest) error {
	if s.j.place.Load().lost() {
		return errRemoved
	}
	m.Server = s.j.settings.Server
	m.Age, m.Wall = s.j.age(), s.j.settings.Clock().Unix()
	m.Lost = s.j.lostEver()
	if err := m.store(s.j.settings.Dir); err != nil {
		return err
	}
	s.manifest.Store(m)
	s.lossesStored = s.j.elapsed()
	return nil
}

// end brings into MANIFEST what is not there, when run has ended.
func (s *sealer) end() error {
	switch {
	case s.j.place.Load().lost():
		return errRemoved
	case s.lookForSegments.Load():
		return s.forgetSegments()
	}
	return s.storeLosses()
}

// storeLosses brings the counts of lost events into MANIFEST when they have
// changed.
func (s *sealer) storeLosses() error {
	s.lossesStored = s.j.elapsed()
	if s.manifest.Load().Lost == s.j.lostEver() {
		return nil
	}
	return s.store(s.manifest.Load().clone())
}
