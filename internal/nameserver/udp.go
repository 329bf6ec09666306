package nameserver

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"nullspf/spftrack"
)

// shard is the state of one processor: what its workers, one for each address,
// write while they answer. It outlives configurations.
type shard struct {
	// mu is held for one batch. Workers of other addresses wait for each other
	// here instead of on the processor that they share.
	mu     sync.Mutex
	rates  *rateTable
	events eventWriter
	counters
}

// began is when the process began.
var began = time.Now()

// udpWorker answers what arrives at one socket.
type udpWorker struct {
	*shard
	socket *udpSocket
	table  *atomic.Pointer[table]
	slow   *slowPath
	log    zerolog.Logger

	batch *batch
	query query
	event event
	// next is the message of the batch that is answered.
	next int
	// now is the time of the batch, ns since 1970.
	now int64
	// elapsed is the same time since the process began, scheduled that of the last
	// visit to the scheduler, in ns. Nobody can set this clock.
	elapsed, scheduled int64
	// tally and newEvents count for one batch.
	tally     tally
	newEvents uint64
}

// run answers until the socket is stopped, and then what has arrived.
func (w *udpWorker) run() {
	defer close(w.socket.done)
	for {
		wait := !w.socket.closing.Load()
		n, errno := w.batch.receive(w.socket.fd, wait)
		switch {
		case n > 0:
			w.serve(n)
			w.yield()
		case wait && (errno == 0 || errno == unix.EINTR):
		case wait:
			w.log.Error().Err(errno).Msg("cannot receive queries over UDP; trying again")
			time.Sleep(100 * time.Millisecond)
		case errno != unix.EINTR:
			return
		}
	}
}

// yieldEvery is the time between two visits to the scheduler.
const yieldEvery = 8 * int64(time.Millisecond)

// yield goes through the scheduler now and then. Under load the worker never
// blocks otherwise, and the runtime's monitor takes a goroutine that it sees
// for 10 ms in system calls for one that holds up others: it then wakes every
// 20 us to take the processor away, which costs more than the visit.
func (w *udpWorker) yield() {
	if w.elapsed-w.scheduled > yieldEvery {
		w.scheduled = w.elapsed
		runtime.Gosched()
	}
}

// serve answers the n messages of a batch.
func (w *udpWorker) serve(n int) {
	w.received.Add(uint64(n))
	w.mu.Lock()
	for w.next = 0; w.next < n; w.next++ {
		w.answer(n)
	}
	w.events.Commit()
	w.mu.Unlock()
	if failed := w.batch.send(w.socket.fd); failed > 0 {
		w.sendErrors.Add(uint64(failed))
	}
	w.batch.prepare(n)
	w.counters.add(&w.tally)
	w.tracked.Add(w.newEvents)
	w.tally, w.newEvents = tally{}, 0
}

// answer builds the answers to the messages of a batch from next on, and
// records their events. When one fails, it returns at that message.
func (w *udpWorker) answer(n int) {
	defer func() {
		if r := recover(); r != nil {
			w.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("a query caused a panic and was not answered; please report this as a bug")
			w.tally[dropPanic]++
		}
	}()
	t := w.table.Load()
	now := time.Now()
	w.now, w.elapsed = now.UnixNano(), int64(now.Sub(began))
	w.rates.now = w.elapsed
	q := &w.query
	for ; w.next < n; w.next++ {
		p := &w.batch.packets[w.next]
		q.client = p.client()
		q.reset(p.buf[:], w.batch.size(w.next))
		o := w.answerOne(t, q, p)
		if o == deferred {
			continue
		}
		if t.mode != LogNone {
			t.note(q, o)
		}
		if q.tracked {
			q.record(&w.event, w.now)
			w.events.Put(&w.event)
			w.newEvents++
		}
		if o < firstDropped {
			w.batch.queue(w.next, q.size)
		}
		w.tally[o]++
	}
}

// answerOne answers one message in place, or hands it to the slow path.
func (w *udpWorker) answerOne(t *table, q *query, p *packet) outcome {
	if q.client.Port() == 0 {
		return dropSource
	}
	if len(t.proxies) > 0 && t.isProxy(q.client.Addr()) {
		if !q.unwrap() {
			return dropProxy
		}
		w.batch.in[w.next].size = uint32(q.size)
	}
	switch q.parse() {
	case plain:
		return t.answer(q, w.rates, w.now)
	case muteShort:
		return dropShort
	case muteResponse:
		return dropResponse
	}
	if t.limit.exceeded(q, w.rates) {
		return dropLimited
	}
	if !w.slow.take(w, t, p) {
		return dropBusy
	}
	return deferred
}

// record fills in the event that q is.
func (q *query) record(e *event, now int64) {
	e.Time = now
	e.Zone = q.zone
	e.Qtype = q.qtype
	e.Transport = spftrack.TransportUDP
	if q.tcp {
		e.Transport = spftrack.TransportTCP
	}
	e.Verified = q.verified
	e.Resolver = q.client
	e.ECS = q.subnet
	e.Name = q.name()
}
