package nameserver

import (
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"

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

// wait waits for the batch that is answered now.
func (s *shard) wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

// began is when the process began.
var began = time.Now()

// inbox is where messages come from and their answers go: a socket, or a queue of
// an interface. It is for one goroutine.
type inbox interface {
	// receive waits for messages, and takes a batch of them. ended is true when
	// nothing more will come.
	receive() (n int, ended bool)
	// read makes q ready for message i of the batch, and returns the table of the
	// address to which it came; nil when it is damaged, or came to none.
	read(i int, q *query) *table
	// queue adds the answer of size bytes, which stands in the buffer of message
	// i, to those that are sent together.
	queue(i, size int)
	// hand tells a job how message i, the last that was read, is answered.
	hand(i int, job *slowJob)
	// send sends all queued answers and ends the batch of n messages. It returns
	// how many answers the kernel did not take.
	send(n int) (failed int)
}

// udpWorker answers what arrives at one inbox.
type udpWorker struct {
	*shard
	inbox
	slow *slowPath
	log  zerolog.Logger
	// weight is that of [rateTable].
	weight int64

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

// run answers until the inbox has ended.
func (w *udpWorker) run() {
	for {
		n, ended := w.receive()
		if n > 0 {
			w.serve(n)
			w.yield()
		} else if ended {
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
	if failed := w.send(n); failed > 0 {
		w.sendErrors.Add(uint64(failed))
	}
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
	now := time.Now()
	w.now, w.elapsed = now.UnixNano(), int64(now.Sub(began))
	w.rates.now, w.rates.weight = w.elapsed, w.weight
	q := &w.query
	for ; w.next < n; w.next++ {
		t := w.read(w.next, q)
		if t == nil {
			w.tally[dropFrame]++
			continue
		}
		o := w.answerOne(t, q)
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
			w.queue(w.next, q.size)
		}
		w.tally[o]++
	}
}

// answerOne answers one message in place, or hands it to the slow path.
func (w *udpWorker) answerOne(t *table, q *query) outcome {
	if q.client.Port() == 0 {
		return dropSource
	}
	if len(t.proxies) > 0 && t.isProxy(q.client.Addr()) && !q.unwrap() {
		return dropProxy
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
	if !w.slow.take(w, t) {
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
