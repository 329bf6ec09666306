package nameserver

import (
	"net/netip"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// slowRoom is the number of odd messages that may wait; further ones are
// dropped.
const slowRoom = 512

// slowPath answers odd UDP messages with a fixed number of goroutines and a
// bounded amount of memory.
type slowPath struct {
	// free has as many jobs as may be begun; nil is one that was never needed.
	free, work chan *slowJob
	counters   counters
	events     eventWriter
	log        zerolog.Logger
	running    sync.WaitGroup
}

// slowJob is a message on the slow path, which a socket answers.
type slowJob struct {
	socket *udpSocket
	table  *table
	client netip.AddrPort
	// packet holds a copy of the message, with the lengths of its parts.
	packet      packet
	size        int
	addressSize uint32
	controlSize int
	query       query
}

func newSlowPath(workers int, events eventWriter, log zerolog.Logger) *slowPath {
	s := &slowPath{
		free:   make(chan *slowJob, slowRoom),
		work:   make(chan *slowJob, slowRoom),
		events: events,
		log:    log,
	}
	for range slowRoom {
		s.free <- nil
	}
	for range workers {
		s.running.Go(s.run)
	}
	return s
}

// take copies the message that a worker is at, and reports whether there was
// room for it.
func (s *slowPath) take(w *udpWorker, t *table) bool {
	var job *slowJob
	select {
	case job = <-s.free:
	default:
		return false
	}
	if job == nil {
		job = new(slowJob)
	}
	q := &w.query
	job.table, job.client = t, q.client
	job.size = copy(job.packet.buf[:], q.buf[:q.size])
	w.hand(w.next, job)
	job.socket.pending.Add(1)
	s.work <- job // has room for every job there is
	return true
}

// close ends the goroutines when the work is done. Nothing may be taken any
// more.
func (s *slowPath) close() {
	close(s.work)
	s.running.Wait()
}

func (s *slowPath) run() {
	for job := range s.work {
		o := s.answer(job)
		s.counters.outcomes[o].Add(1)
		job.socket.pending.Done()
		job.socket, job.table = nil, nil
		s.free <- job
	}
}

func (s *slowPath) answer(job *slowJob) (o outcome) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("a query caused a panic and was not answered; please report this as a bug")
			o = dropPanic
		}
	}()
	q := &job.query
	q.client = job.client
	now := time.Now().UnixNano()
	q.reset(job.packet.buf[:], job.size)
	q.parse() // for the name in the log
	o = job.table.answerOdd(q, now)
	job.table.note(q, o)
	if q.tracked {
		s.counters.tracked.Add(1)
		var e event
		q.record(&e, now)
		s.events.Put(&e)
		s.events.Commit()
	}
	if err := job.send(); err != nil {
		s.counters.sendErrors.Add(1)
	}
	return o
}

// send sends the answer that stands in the buffer.
func (job *slowJob) send() error {
	p := &job.packet
	vec := unix.Iovec{Base: &p.buf[0]}
	vec.SetLen(job.query.size)
	header := unix.Msghdr{Name: &p.address[0], Namelen: job.addressSize, Iov: &vec}
	header.SetIovlen(1)
	if job.socket.controls {
		header.Control = &p.control[0]
		header.SetControllen(p.answerFromDestination(job.controlSize))
	}
	_, _, errno := syscall.Syscall(unix.SYS_SENDMSG, uintptr(job.socket.fd), uintptr(unsafe.Pointer(&header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return errno
	}
	return nil
}
