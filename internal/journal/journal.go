package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"nullspf/spftrack"
)

// Journal is an open journal.
type Journal struct {
	settings Settings
	// maxSize, keep and keepRaw are limits of the settings, which may change.
	maxSize atomic.Int64
	keep    atomic.Int64
	keepRaw atomic.Int64
	log     zerolog.Logger
	// place is replaced by the writer alone.
	place atomic.Pointer[place]
	// removed is when the directory was made anew, in time since Open; 0 is never.
	removed atomic.Int64
	opened  time.Time
	// openedWall is what the clock said when it was opened.
	openedWall time.Time
	// firstAge is the age of the directory when it was opened, in seconds.
	firstAge int64
	// lostBefore are the events lost by earlier runs.
	lostBefore Lost

	workers []*Worker
	// shared takes the events of Put.
	shared struct {
		sync.Mutex
		worker *Worker
	}
	// all are the workers and the shared one.
	all []*Worker

	zones  zoneTable
	wals   walList
	writer *writer
	syncer *syncer
	sealer *sealer
	losses lossWatch
	guard  guard

	stalled       atomic.Bool
	flushFailures atomic.Uint64
	// abandoned events were in a ring when Close gave up.
	abandoned atomic.Uint64

	closing    sync.Once
	closed     error
	stopWriter chan struct{}
	stopSyncer chan struct{}
	stopSealer chan struct{}
	running    sync.WaitGroup
}

// errLocked is wrapped by the error of [Open] when another process, or another
// Journal of this one, has the directory open.
var errLocked = errors.New("another nullspfd writes to this directory")

// Open opens a journal and begins to store. What an earlier run left, torn or
// damaged, does not keep it from opening. It fails when the directory cannot be
// made or locked, when its MANIFEST or its files cannot be read for another
// reason than their content, and when the settings are wrong.
func Open(settings Settings) (*Journal, error) {
	settings, err := settings.complete()
	if err != nil {
		return nil, err
	}
	at, err := takePlace(settings.Dir)
	if err != nil {
		return nil, err
	}
	j, err := prepare(settings, at)
	if err != nil {
		at.Close()
		return nil, fmt.Errorf("journal %s: %w", settings.Dir, err)
	}
	j.start()
	return j, nil
}

// prepare reads the directory and makes a journal that does nothing yet.
func prepare(settings Settings, at *place) (*Journal, error) {
	j := &Journal{
		settings:   settings,
		log:        settings.Logger,
		opened:     time.Now(),
		stopWriter: make(chan struct{}),
		stopSyncer: make(chan struct{}),
		stopSealer: make(chan struct{}),
	}
	j.SetLimits(Limits{settings.MaxSize, settings.Retain, settings.RetainRaw})
	j.place.Store(at)
	m, wals, err := recoverDir(settings.Dir, j.log)
	if err != nil {
		return nil, err
	}
	if m.old {
		// A nullspfd of version 1 must not take the next wal file for damaged.
		if err := m.store(settings.Dir); err != nil {
			j.log.Warn().Err(err).Msg("MANIFEST could not be written in version 2; it is tried again when events are sealed")
		}
	}
	next := m.Next
	for _, f := range wals {
		next = max(next, f.end)
	}
	j.wals.closed = wals
	j.openedWall = settings.Clock()
	j.firstAge = ageAtOpen(m, j.openedWall)
	j.lostBefore = m.Lost
	for _, z := range settings.Zones {
		j.zones.append(z)
	}
	for range settings.Workers + 1 {
		w := &Worker{j: j}
		if err := w.ring.init(settings.RingBytes); err != nil {
			return nil, err
		}
		j.all = append(j.all, w)
	}
	j.workers, j.shared.worker = j.all[:settings.Workers], j.all[settings.Workers]
	j.sealer = newSealer(j, m)
	j.syncer = newSyncer(j)
	j.writer = newWriter(j, next)
	return j, nil
}

func (j *Journal) start() {
	syncerDone := make(chan struct{})
	j.running.Go(func() {
		defer close(j.stopSyncer)
		j.writer.run(j.stopWriter)
	})
	j.running.Go(func() {
		defer close(syncerDone)
		j.syncer.run(j.stopSyncer)
	})
	j.running.Go(func() { j.sealer.run(j.stopSealer) })
	j.running.Go(func() { j.monitor(syncerDone) })
	j.running.Go(func() { j.keepLosses(syncerDone) })
}

// Worker returns worker i of [Settings.Workers], counted from 0.
func (j *Journal) Worker(i int) *Worker { return j.workers[i] }

// Put stores the event of a goroutine that has no worker. It takes a lock; with
// [Strict] it then waits as [Worker.Flush] does. False: the event is lost, and
// counted by reason.
func (j *Journal) Put(p *Packet) bool {
	w := j.shared.worker
	j.shared.Lock()
	ok := w.Put(p)
	w.Commit()
	position := w.ring.head
	j.shared.Unlock()
	if ok && j.settings.Sync == Strict && w.wait(position) != nil {
		j.flushFailures.Add(1)
	}
	return ok
}

// AddZone returns the index of a zone for [Packet.Zone]. A zone of this name
// that is there already keeps its index and its layouts.
func (j *Journal) AddZone(name string) (uint16, error) {
	z := Zone{Name: name}
	if err := z.check(); err != nil {
		return 0, err
	}
	return j.zones.add(z)
}

// SetLayouts sets the layouts of a zone that is there. They hold for all events
// that are not sealed yet.
func (j *Journal) SetLayouts(zone string, layouts []spftrack.Layout) {
	j.zones.setLayouts(zone, layouts)
}

// Limits are those of [Settings].
type Limits struct {
	MaxSize           int64
	Retain, RetainRaw time.Duration
}

// SetLimits changes the limits. They take effect when something is sealed next.
func (j *Journal) SetLimits(l Limits) {
	j.maxSize.Store(l.MaxSize)
	j.keep.Store(int64(l.Retain))
	j.keepRaw.Store(int64(l.RetainRaw))
}

// elapsed is the time since Open by the monotonic clock.
func (j *Journal) elapsed() time.Duration { return time.Since(j.opened) }

// clockSteady reports whether the clock went as time has passed since Open.
func (j *Journal) clockSteady() bool {
	d := j.settings.Clock().Sub(j.openedWall) - j.elapsed()
	return d.Abs() < time.Hour
}

// age is the age of the directory in seconds.
func (j *Journal) age() int64 { return j.firstAge + int64(j.elapsed()/time.Second) }

// lostEver counts the lost events of this run and those before.
func (j *Journal) lostEver() Lost {
	lost := j.lostBefore
	for _, w := range j.all {
		for r := range w.lost {
			lost[r] += w.lost[r].Load()
		}
	}
	lost[LostShutdown] += j.abandoned.Load()
	return lost
}

// trouble tells why nothing can be written at present.
func (j *Journal) trouble() (Reason, bool) {
	switch failing := j.writer.failing.Load(); {
	case failing != 0:
		return Reason(failing - 1), true
	case j.stalled.Load():
		return LostStalled, true
	case j.syncer.lastError() != nil:
		return LostIOError, true
	}
	return 0, false
}

// lossReason tells why a ring is full.
func (j *Journal) lossReason() Reason {
	if failing := j.writer.failing.Load(); failing != 0 {
		return Reason(failing - 1)
	}
	if j.stalled.Load() {
		return LostStalled
	}
	return LostRingFull
}

// closeTimeout bounds the wait of Close for a disk that does not answer.
const closeTimeout = 10 * time.Second

// Close writes what is in the rings, syncs and unlocks the directory. Workers
// must have stopped. What cannot be written within 10 s is counted as lost with
// [LostShutdown], and an error tells so.
func (j *Journal) Close() error {
	j.closing.Do(func() { j.closed = j.close() })
	return j.closed
}

func (j *Journal) close() error {
	for _, w := range j.all {
		w.ring.publish()
	}
	close(j.stopSealer)
	close(j.stopWriter)
	// The wait has a bound: a goroutine may hang in the kernel for ever.
	if !waitFor(&j.running, closeTimeout) {
		n := j.Stats().Pending
		j.abandoned.Store(n)
		return fmt.Errorf("journal %s: the disk does not answer; %d events are lost, and those of the last second may be; the directory stays locked until the process ends", j.settings.Dir, n)
	}
	n := j.Stats().Pending
	j.abandoned.Store(n)
	err := j.sealer.end()
	if e := j.place.Load().Close(); err == nil {
		err = e
	}
	switch e := j.syncer.lastError(); {
	case n > 0:
		err = fmt.Errorf("%d events could not be written and are lost: %w", n, j.writer.lastError())
	case e != nil:
		err = fmt.Errorf("the last events may not be on disk: %w", e)
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.settings.Dir, err)
	}
	return nil
}

func waitFor(group *sync.WaitGroup, timeout time.Duration) bool {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(timeout):
		return false
	}
}
