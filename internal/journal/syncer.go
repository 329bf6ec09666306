package journal

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var errSyncFailed = errors.New("an earlier sync of the file failed")

// syncer syncs wal files while the writer goes on.
type syncer struct {
	j *Journal
	// kick asks for a sync at once.
	kick chan struct{}
	// busy is when the running sync began, 0 for none.
	busy atomic.Int64

	mu sync.Mutex
	// file is the one being written; dirty: not all of it is on disk.
	file  walOutput
	dirty bool
	// retired files are to be synced and closed.
	retired []walOutput
	// tails are the positions in the rings up to which events are written.
	tails []uint64
	// bad is a file whose sync failed: what of it reaches the disk is
	// unknown, so nothing more is written to it.
	bad walOutput
	err error
	// finished is closed and replaced when a sync has ended.
	finished chan struct{}
}

func newSyncer(j *Journal) *syncer {
	return &syncer{j: j, kick: make(chan struct{}, 1), tails: make([]uint64, len(j.all)), finished: make(chan struct{})}
}

// run syncs until stop is closed, and once more then.
func (s *syncer) run(stop <-chan struct{}) {
	ticker := time.NewTicker(s.j.settings.SyncEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.kick:
		case <-stop:
			s.sync()
			return
		}
		s.sync()
	}
}

// wrote tells what was written to which file.
func (s *syncer) wrote(f walOutput, tails []uint64) {
	s.mu.Lock()
	s.file, s.dirty = f, true
	copy(s.tails, tails)
	s.mu.Unlock()
}

// retire takes over a file that is complete.
func (s *syncer) retire(f walOutput) {
	s.mu.Lock()
	s.file, s.dirty = nil, false
	s.retired = append(s.retired, f)
	s.mu.Unlock()
}

// failed reports whether the sync of a file failed.
func (s *syncer) failed(f walOutput) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f != nil && s.bad == f
}

// done is closed when the sync that runs, or the next one, has ended.
func (s *syncer) done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finished
}

func (s *syncer) lastError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *syncer) sync() {
	s.mu.Lock()
	retired, file, dirty := s.retired, s.file, s.dirty
	s.retired, s.dirty = nil, false
	tails := append([]uint64(nil), s.tails...)
	bad := s.bad
	s.mu.Unlock()
	if len(retired) == 0 && !dirty {
		s.broadcast()
		return
	}
	s.busy.Store(max(int64(s.j.elapsed()), 1))
	err := s.j.contain("the syncer", func() (err error) {
		bad, err = syncFiles(retired, file, dirty, bad)
		return err
	})
	if errors.As(err, new(*panicError)) && dirty {
		// How much of the file is on disk is not known.
		bad = file
	}
	s.busy.Store(0)
	for i, w := range s.j.all {
		if err != nil {
			w.undurable.Store(tails[i])
		} else {
			w.durable.Store(tails[i])
		}
	}
	s.mu.Lock()
	before := s.err
	s.err, s.bad = err, bad
	s.mu.Unlock()
	s.broadcast()
	switch {
	case err != nil && before == nil:
		s.j.log.Error().Err(err).Msg("cannot sync the journal to disk; its events can be read but may not survive a power failure; check the disk")
	case err == nil && before != nil:
		s.j.log.Info().Msg("the journal is synced to disk again")
	}
}

// syncFiles syncs files: retired ones, which are closed, and the one
// being written when it is dirty. It returns the file of which no further sync
// can tell whether all of it is on disk.
func syncFiles(retired []walOutput, file walOutput, dirty bool, bad walOutput) (walOutput, error) {
	var err error
	for _, f := range retired {
		if e := f.Sync(); e != nil {
			err = e
		}
		// After a successful sync closing can lose nothing.
		_ = f.Close()
	}
	switch {
	case dirty && file == bad:
		// A second sync may report success for what the first one dropped.
		err = errSyncFailed
	case dirty:
		if e := file.Sync(); e != nil {
			err, bad = e, file
		}
	}
	return bad, err
}

func (s *syncer) broadcast() {
	s.mu.Lock()
	close(s.finished)
	s.finished = make(chan struct{})
	s.mu.Unlock()
}
