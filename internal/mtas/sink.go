package mtas

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// Sink is an SMTP server that keeps nothing.
type Sink struct {
	// Seen is called with each connection ("connect"), recipient and accepted
	// message ("message").
	Seen func(at time.Time, what string)

	listener net.Listener
	serving  sync.WaitGroup
}

// Serve serves a listener until Close.
func (s *Sink) Serve(l net.Listener) {
	s.listener = l
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.Seen(time.Now(), "connect")
			s.serving.Go(func() { s.session(conn) })
		}
	})
}

// Close ends the server with its sessions, which have 20 s.
func (s *Sink) Close() {
	_ = s.listener.Close()
	s.serving.Wait()
}

func (s *Sink) session(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "220 sink.example.net ESMTP\r\n")
	lines := bufio.NewScanner(conn)
	data := false
	for lines.Scan() {
		line := lines.Text()
		verb, rest, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case data && line != ".":
			continue
		case data:
			data = false
			s.Seen(time.Now(), "message")
		case verb == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
			continue
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		case verb == "RCPT":
			address, _, _ := strings.Cut(strings.TrimPrefix(rest, "TO:<"), ">")
			s.Seen(time.Now(), strings.ToLower(address))
		}
		fmt.Fprint(conn, "250 ok\r\n")
	}
}
