package maillog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/logtime"
)

// head is what stands before a message.
type head struct {
	// time is nanoseconds since 1970-01-01 UTC; 0 when there is none.
	time int64
	// host, program and process are "" in files that a mail server writes itself.
	host, program, process string
	message                string
	// own: it is of such a file.
	own bool
}

// readHead reads the begin of a line: of syslog, as a time without year or of RFC 3339, host
// and TAG[PID]: ; of journalctl -o json; or a time alone.
func readHead(line []byte, clock *logtime.Clock) (h head, ok bool) {
	switch {
	case len(line) == 0:
		return h, false
	case line[0] == '{':
		return readJournal(line)
	}
	if at, rest, ok := clock.Plain(line); ok {
		return head{time: at, message: strings.TrimPrefix(string(rest), " "), own: true}, true
	}
	if isSession(line) {
		return head{message: string(line), own: true}, true
	}
	at, ok := clock.Syslog(line)
	if !ok {
		return h, false
	}
	rest := line[len("Nov 27 12:07:59"):]
	if line[3] != ' ' {
		_, rest, _ = bytes.Cut(line, []byte(" "))
	}
	host, rest, ok1 := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	tag, message, ok2 := bytes.Cut(rest, []byte(": "))
	if !ok1 || !ok2 {
		return h, false
	}
	program, process, _ := bytes.Cut(tag, []byte("["))
	return head{
		time: at, host: string(host), program: string(program), process: string(bytes.TrimSuffix(process, []byte("]"))),
		message: string(message),
	}, true
}

// journalEntry is what matters of an entry of systemd's journal.
type journalEntry struct {
	Realtime   string          `json:"__REALTIME_TIMESTAMP"`
	Host       string          `json:"_HOSTNAME"`
	Identifier string          `json:"SYSLOG_IDENTIFIER"`
	PID        string          `json:"SYSLOG_PID"`
	OwnPID     string          `json:"_PID"`
	Message    json.RawMessage `json:"MESSAGE"`
}

func readJournal(line []byte) (h head, ok bool) {
	var e journalEntry
	if json.Unmarshal(line, &e) != nil {
		return h, false
	}
	micros, err := strconv.ParseInt(e.Realtime, 10, 64)
	if err != nil || micros < 0 || micros > maxTime*1_000_000 {
		return h, false
	}
	h = head{time: micros * int64(time.Microsecond), host: e.Host, program: e.Identifier, process: e.PID}
	if h.process == "" {
		h.process = e.OwnPID
	}
	// What is not UTF-8, or has control characters, is a list of numbers.
	var list []uint16
	switch {
	case json.Unmarshal(e.Message, &h.message) == nil:
	case json.Unmarshal(e.Message, &list) == nil:
		text := make([]byte, len(list))
		for i, b := range list {
			text[i] = byte(b)
		}
		h.message = string(text)
	default:
		return h, false
	}
	return h, true
}

// maxTime is the year 2200, in seconds since 1970-01-01 UTC.
const maxTime = 7258118400

// isSession reports whether a line begins with the number of a session of OpenSMTPD, which
// writes no time to standard error.
func isSession(line []byte) bool {
	const digits = 16
	return len(line) > digits && line[digits] == ' ' && bytes.IndexFunc(line[:digits], func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f')
	}) < 0
}
