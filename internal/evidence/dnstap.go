package evidence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// dnstap reads files of Frame Streams with dnstap messages, as BIND, NSD, Knot DNS, Unbound,
// dnsdist and fstrm_capture write them. Queries are those of clients to an authoritative
// server (AUTH_QUERY) or to a resolver or proxy (CLIENT_QUERY).
//
// A frame has its length before it, uint32, big-endian. Length 0 announces a control frame,
// which begins after its own length with its type.
type dnstap struct {
	in    *reader
	fresh bool
	frame []byte
	name  []byte
	named string
}

const (
	dnstapType = "protobuf:dnstap.Dnstap"
	// maxControl and maxFrame bound frames: a message has at most 64 KiB of DNS.
	maxControl = 512
	maxFrame   = 256 << 10

	controlStart = 2
	controlStop  = 3
)

var errFrames = errors.New("not Frame Streams with dnstap messages")

func (d *dnstap) identity() string { return d.named }
func (d *dnstap) odd() int         { return 0 }

func (d *dnstap) next(q *question) (outcome, error) {
	if d.fresh {
		if err := d.start(); err != nil {
			return isOther, err
		}
		d.fresh = false
	}
	size, err := d.size()
	if err != nil {
		return isOther, err
	}
	if size == 0 {
		stop, err := d.control()
		if err == nil && stop {
			err = io.EOF
		}
		return isOther, err
	}
	if size > maxFrame {
		return isOther, fmt.Errorf("a frame of %d bytes; dnstap messages have at most %d", size, maxFrame)
	}
	if d.frame, err = frame(d.in, d.frame, size); err != nil {
		return isOther, err
	}
	d.sum(size, d.frame)
	return d.message(d.frame, q), nil
}

// size reads the length of a frame.
func (d *dnstap) size() (int, error) {
	b, err := d.in.Peek(4)
	switch {
	case errors.Is(err, io.EOF) && len(b) == 0:
		return 0, io.EOF
	case errors.Is(err, io.EOF):
		return 0, errCut
	case err != nil:
		return 0, err
	}
	size := binary.BigEndian.Uint32(b)
	_, err = d.in.Discard(4)
	return int(min(size, math.MaxInt32)), err
}

// sum adds a whole frame to the identity of the content.
func (d *dnstap) sum(size int, b []byte) {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(size))
	d.in.Write(length[:])
	d.in.Write(b)
}

// start reads the first frame of a file.
func (d *dnstap) start() error { return d.expect(controlStart) }

// expect reads a control frame of a kind that has the type of dnstap.
func (d *dnstap) expect(kind uint32) error {
	size, err := d.size()
	if err != nil {
		return err
	}
	if size != 0 {
		return errFrames
	}
	b, err := d.controlFrame()
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(b[4:]) != kind || !bytes.Contains(b, []byte(dnstapType)) {
		return errFrames
	}
	return nil
}

func (d *dnstap) control() (stop bool, err error) {
	b, err := d.controlFrame()
	return err == nil && binary.BigEndian.Uint32(b[4:]) == controlStop, err
}

// controlFrame reads a control frame: its length, its type, its fields.
func (d *dnstap) controlFrame() ([]byte, error) {
	length, err := d.in.Peek(4)
	if errors.Is(err, io.EOF) {
		return nil, errCut
	}
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length)
	if size < 4 || size > maxControl {
		return nil, errFrames
	}
	b, err := frame(d.in, nil, 4+int(size))
	if err == nil {
		d.sum(0, b)
	}
	return b, err
}

// The fields of messages of dnstap, and the types that matter.
const (
	tapIdentity = 1
	tapMessage  = 14

	messageType         = 1
	messageProtocol     = 3
	messageQueryAddress = 4
	messageQueryPort    = 6
	messageQuerySeconds = 8
	messageQueryNanos   = 9
	messageQuery        = 10

	typeAuthQuery   = 1
	typeClientQuery = 5
)

// message reads a dnstap message.
func (d *dnstap) message(b []byte, q *question) outcome {
	var outer, m fields
	if !outer.read(b) || !m.read(outer[tapMessage].bytes) {
		return isBad
	}
	if d.named == "" {
		d.named = identityOf(outer[tapIdentity].bytes)
	}
	if kind := m[messageType].value; kind != typeAuthQuery && kind != typeClientQuery {
		return isOther
	}
	seconds, nanos := m[messageQuerySeconds].value, m[messageQueryNanos].value
	if !setClient(q, m[messageQueryAddress].bytes, m[messageQueryPort].value, m[messageProtocol].value) ||
		seconds > maxTime || nanos >= uint64(time.Second) {
		return isBad
	}
	var ok bool
	if d.name, ok = readQuestion(m[messageQuery].bytes, d.name[:0], q); !ok {
		return isBad
	}
	return q.at(seconds, nanos)
}
