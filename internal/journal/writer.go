package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"nullspf/internal/files"
)

const (
	// drainEvery leaves room below the 50 ms for a busy machine. To be woken costs as much
	// as to write dozens of events.
	drainEvery = 30 * time.Millisecond
	// maxChunk is about what the writer writes at once, unless files are to be
	// very small.
	maxChunk   = 1 << 20
	minBackoff = 50 * time.Millisecond
	maxBackoff = time.Second
)

// writer moves records from the rings to wal files. Only its goroutine touches
// what is not atomic.
type writer struct {
	j    *Journal
	wake chan struct{}
	// create makes a wal file.
	create func(path string) (walOutput, error)

	// file is nil while none is open.
	file   walOutput
	header walHeader
	// size is the length of the file's valid content; torn: more may follow.
	size int64
	torn bool
	// path is the file's, made tells it from others; removed: the directory is
	// gone. placeDue is when to look, in time since Open.
	path     string
	made     os.FileInfo
	removed  bool
	placeDue time.Duration
	// opened is when, in time since Open.
	opened time.Duration
	zones  uint64 // generation of the zone table

	next    uint64
	packer  *packer
	packed  []byte
	chunk   []byte
	parts   []part
	tails   []uint64 // positions in the rings behind what chunk holds
	backoff time.Duration
	retry   time.Duration // not before, in time since Open

	stored  atomic.Uint64
	nextSeq atomic.Uint64
	// busy is when the running system call began, 0 for none.
	busy atomic.Int64
	// failing is 0, or the reason plus one.
	failing atomic.Uint32

	mu  sync.Mutex
	err error
}

// part is a block of the chunk.
type part struct {
	worker int
	tail   uint64 // position in the ring behind it
	end    int    // offset in the chunk behind it
	count  int
}

func newWriter(j *Journal, next uint64) *writer {
	w := &writer{j: j, wake: make(chan struct{}, 1), create: createWAL, next: next, tails: make([]uint64, len(j.all))}
	w.nextSeq.Store(next)
	return w
}

// run empties the rings until stop is closed, and once more then.
func (w *writer) run(stop <-chan struct{}) {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.drain()
		case <-w.wake:
			w.drain()
			wake(w.j.syncer.kick)
		case <-stop:
			w.retry = 0
			w.drain()
			_ = w.j.contain("the writer", func() error { w.closeFile(true); return nil })
			return
		}
	}
}

// drain writes what the rings hold. After an error it leaves it there and
// waits longer and longer before it tries again.
func (w *writer) drain() {
	now := w.j.elapsed()
	if now < w.retry {
		return
	}
	if err := w.j.contain("the writer", func() error { return w.empty(now) }); err != nil {
		if errors.As(err, new(*panicError)) {
			// What of the last write is in the file is not known.
			w.torn = true
			w.finish()
		}
		w.fail(err)
		return
	}
	w.backoff = 0
	if w.failing.Swap(0) != 0 {
		w.j.log.Info().Msg("the journal stores events again")
	}
}

// empty closes the file when it is due, and writes until the rings are empty.
func (w *writer) empty(now time.Duration) error {
	if now >= w.placeDue {
		if err := w.checkPlace(); err != nil {
			return err
		}
		w.placeDue = now + placeEvery
	}
	if w.file != nil && w.due(now) {
		w.closeFile(!w.j.syncer.failed(w.file))
	}
	for w.pending() {
		if err := w.write(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) pending() bool {
	for _, worker := range w.j.all {
		if worker.ring.tail.Load() != worker.ring.published.Load() {
			return true
		}
	}
	return false
}

// due reports whether the file is to be closed before more is written.
func (w *writer) due(now time.Duration) bool {
	return w.size >= w.j.settings.SegmentSize || now-w.opened >= w.j.settings.SegmentAge/2 ||
		w.zones != w.j.zones.generation() || w.next+maxChunk/minPacked > w.header.bound ||
		w.j.syncer.failed(w.file)
}

// write fills a chunk from the rings and appends it to the file.
func (w *writer) write() error {
	if w.file != nil && w.due(w.j.elapsed()) {
		w.closeFile(!w.j.syncer.failed(w.file))
	}
	if w.file != nil && w.torn {
		if err := w.truncate(); err != nil {
			w.closeFile(false)
		}
	}
	if w.file == nil {
		if err := w.openFile(); err != nil {
			return err
		}
	}
	w.fill()
	w.start()
	n, err := w.file.Write(w.chunk)
	w.finish()
	w.commit(n)
	return err
}

// fill builds blocks of what the rings hold.
func (w *writer) fill() {
	w.chunk, w.parts = w.chunk[:0], w.parts[:0]
	seq := w.next
	limit := int(min(maxChunk, max(w.j.settings.SegmentSize/4, maxBlock)))
	for i, worker := range w.j.all {
		r := &worker.ring
		from, end := r.tail.Load(), r.published.Load()
		for len(w.chunk) < limit {
			records, count, to := r.next(from, end, blockRecords)
			if count == 0 {
				break
			}
			w.packed = w.packer.packAll(w.packed[:0], records)
			w.chunk = appendBlockHeader(w.chunk, w.header.key, &block{kind: blockPacked, first: seq, count: count, payload: w.packed})
			w.chunk = append(w.chunk, w.packed...)
			w.parts = append(w.parts, part{i, to, len(w.chunk), count})
			from = to
			seq += uint64(count)
		}
	}
}

// commit takes those records from the rings whose blocks are within the first
// n bytes of the chunk. The rest stays and gets the same sequence numbers
// again: should an abandoned file hold it nevertheless, readers see it once.
func (w *writer) commit(n int) {
	written := 0
	for _, p := range w.parts {
		if p.end > n {
			break
		}
		w.j.all[p.worker].ring.tail.Store(p.tail)
		w.tails[p.worker] = p.tail
		w.next += uint64(p.count)
		w.stored.Add(uint64(p.count))
		written = p.end
	}
	w.size += int64(written)
	w.torn = n > written || n < len(w.chunk)
	w.nextSeq.Store(w.next)
	w.j.wals.setActive(w.size)
	if written > 0 {
		w.j.syncer.wrote(w.file, w.tails)
	}
}

// truncate takes away what a failed write may have left.
func (w *writer) truncate() error {
	w.start()
	defer w.finish()
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	w.torn = false
	return nil
}

// openFile makes a new wal file and syncs its header, since the header
// reserves the sequence numbers.
func (w *writer) openFile() error {
	w.start()
	defer w.finish()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	w.zones = w.j.zones.generation()
	w.header = walHeader{
		version: walVersion,
		key:     binary.LittleEndian.Uint64(random[:]),
		first:   w.next,
		bound:   w.next + walReserve,
		created: w.j.settings.Clock().UnixNano(),
		server:  w.j.settings.Server,
		zones:   w.j.zones.table(),
	}
	w.packer = newPacker(w.header.zones)
	header, err := w.header.encode()
	if err != nil {
		return err
	}
	dir := filepath.Join(w.j.settings.Dir, walDir)
	name := walName{w.header.first, w.header.key}
	path := filepath.Join(dir, name.String())
	f, err := w.create(path)
	if err != nil {
		return err
	}
	if _, err = f.Write(header); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = files.SyncDir(dir)
	}
	var made os.FileInfo
	if err == nil {
		made, err = os.Lstat(path)
	}
	if err != nil {
		f.Close()
		removeQuietly(path)
		return err
	}
	w.file, w.size, w.torn = f, int64(len(header)), false
	w.path, w.made = path, made
	w.opened = w.j.elapsed()
	w.j.wals.add(name, w.size)
	return nil
}

// closeFile hands the file to the syncer and the sealer. inOrder writes the end
// block, unless it fails.
func (w *writer) closeFile(inOrder bool) {
	if w.file == nil {
		return
	}
	if inOrder && w.torn {
		inOrder = w.truncate() == nil
	}
	if inOrder {
		// Without end block the file reads the same; only the rest of the
		// reserved numbers stays unused.
		end := appendBlockHeader(nil, w.header.key, &block{kind: blockEnd, first: w.next})
		w.start()
		n, _ := w.file.Write(end)
		w.finish()
		if n == len(end) {
			w.size += int64(n)
		} else if n > 0 {
			_ = w.truncate()
		}
	}
	w.j.syncer.retire(w.file)
	w.j.wals.closeActive(w.next, w.size)
	w.file = nil
	wake(w.j.sealer.wake)
}

func (w *writer) start()  { w.busy.Store(max(int64(w.j.elapsed()), 1)) }
func (w *writer) finish() { w.busy.Store(0) }

// fail notes an error and when to try again.
func (w *writer) fail(err error) {
	w.backoff = min(max(2*w.backoff, minBackoff), maxBackoff)
	w.retry = w.j.elapsed() + w.backoff
	reason := classify(err)
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	if w.failing.Swap(uint32(reason)+1) != uint32(reason)+1 {
		w.j.log.Error().Err(err).Str("reason", reason.String()).
			Msg(fmt.Sprintf("the journal cannot store events; trying again at least every %s", maxBackoff))
	}
}

func (w *writer) lastError() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
