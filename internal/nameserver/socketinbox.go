package nameserver

import (
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// socketInbox is a socket as an inbox.
type socketInbox struct {
	*batch
	socket *udpSocket
	table  *atomic.Pointer[table]
	log    zerolog.Logger
	gatherer
}

// receive implements [inbox]. When the socket is stopped it goes on until all that
// has arrived is answered.
func (s *socketInbox) receive() (n int, ended bool) {
	wait := !s.socket.closing.Load()
	if wait {
		s.wait()
	}
	n, errno := s.receiveFrom(s.socket.fd, wait)
	switch {
	case n > 0:
		s.received(n, time.Now())
	case wait && (errno == 0 || errno == unix.EINTR):
	case wait:
		s.log.Error().Err(errno).Msg("cannot receive queries over UDP; trying again")
		time.Sleep(100 * time.Millisecond)
	case errno != unix.EINTR:
		return 0, true
	}
	return n, false
}

// read implements [inbox].
func (s *socketInbox) read(i int, q *query) *table {
	p := &s.packets[i]
	q.client = p.client()
	q.reset(p.buf[:], s.size(i))
	return s.table.Load()
}

// hand implements [inbox].
func (s *socketInbox) hand(i int, job *slowJob) {
	header := &s.in[i].header
	job.socket = s.socket
	job.packet.address = s.packets[i].address
	job.packet.control = s.packets[i].control
	job.addressSize = header.Namelen
	job.controlSize = int(header.Controllen)
}

// send implements [inbox].
func (s *socketInbox) send(n int) (failed int) {
	failed = s.sendTo(s.socket.fd)
	s.prepare(n)
	return failed
}
