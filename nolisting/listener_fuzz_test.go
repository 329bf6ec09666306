package nolisting

import (
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// harmless are the positive answers that are none to a recipient or a message.
var harmless = regexp.MustCompile(`^(220[ -]|221 |252 |354 |250-|250 SIZE$|250 2\.0\.0 (Hello |Roger, |Session reset$|I have successfully done nothing$))`)

// FuzzListener sends any bytes to a listener: no answer accepts anything, no line is
// longer than a client has to take, and the session is recorded once.
func FuzzListener(f *testing.F) {
	f.Add([]byte("EHLO a\r\nMAIL FROM:<b@c>\r\nRCPT TO:<d@e>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n"))
	f.Add([]byte("HELO a\nMAIL FROM:<>\nRCPT TO:<Postmaster>\nRCPT TO:<@a,@b:c@d>\nBDAT 3 LAST\nabc\nRSET\n"))
	f.Add([]byte("EHLO \x00\r\nMAIL FROM:<\"\\\"@\"@[192.0.2.1]> SIZE=9 BODY=8BITMIME\r\nRCPT TO:<\r\nDATA\r\n"))
	f.Add([]byte("STARTTLS\r\nAUTH PLAIN =\r\nVRFY a\r\nEXPN b\r\nNOOP\r\n.\r\n"))
	var r recorded
	l := NewListener(ListenerOptions{Hostname: "mx.example.net", Logger: zerolog.Nop(), Record: r.record})
	f.Cleanup(func() { l.Close(time.Second) })
	l.Configure(&ListenerSettings{Addresses: []netip.AddrPort{loopback}, Mode: Defer, At: AtData, Connections: 100})
	for len(l.Addresses()) == 0 {
		time.Sleep(time.Millisecond)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		conn, err := net.Dial("tcp", l.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() {
			_, _ = conn.Write(b)
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		text, _ := io.ReadAll(conn)
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			if len(line) < 4 || len(line) > maxLine+100 || (line[0] == '2' || line[0] == '3') && !harmless.MatchString(line) {
				t.Errorf("answer %q", line)
			}
		}
		if s := r.take(t, 1)[0]; s.Recipients > maxCommands || len(s.HELO) > maxLine {
			t.Errorf("%+v", s)
		}
		if n := l.Stats().Panics; n != 0 {
			t.Errorf("%d panics", n)
		}
	})
}
