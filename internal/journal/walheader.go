package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"nullspf/spftrack"
)

// A wal file begins with two copies of its header, each in a slot of its own,
// so that a damaged one costs nothing. Blocks follow. Integers are
// little-endian, sums CRC-32C.
//
//	header  "nspfwal2", slot uint32, length uint32, body, sum of it all
//	body    key, first, bound uint64, created int64, server, zones uint16,
//	        for each zone: name, layouts; texts as length uint16 and bytes
//	block   key, first uint64, length, count, sum of payload uint32,
//	        type uint8, 7 bytes of 0, sum of these 36 bytes; payload
//
// key is random and also in the file's name. A reader that lost its way looks
// for it: what a stranger puts into a name cannot pass for a block.
//
// In version 1, blocks hold records as they are; since version 2 they hold packed
// ones. A later version is refused.
//
// first and bound enclose the sequence numbers of a file. The header is on disk
// before any of them is used, so that after a crash numbering goes on at bound.
const (
	// walMagic is followed by a digit, the version.
	walMagic   = "nspfwal"
	walVersion = 2
	walSlot    = 4 << 10
	walMaxSlot = 32 << 20
	// walReserve is how many sequence numbers a file reserves.
	walReserve = 1 << 21
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// walHeader is the header of a wal file.
type walHeader struct {
	version      int
	key          uint64
	first, bound uint64
	// created is nanoseconds since 1970-01-01 UTC.
	created int64
	server  string
	zones   []walZone
}

// walZone is an entry of a wal file's zone table.
type walZone struct {
	name    string
	layouts []spftrack.Layout
}

// encode returns both copies.
func (h *walHeader) encode() ([]byte, error) {
	le := binary.LittleEndian
	body := le.AppendUint64(nil, h.key)
	body = le.AppendUint64(body, h.first)
	body = le.AppendUint64(body, h.bound)
	body = le.AppendUint64(body, uint64(h.created))
	body = appendText(body, h.server)
	body = le.AppendUint16(body, uint16(len(h.zones)))
	for _, z := range h.zones {
		body = appendText(body, z.name)
		body = appendText(body, joinLayouts(z.layouts))
	}
	const around = len(walMagic) + 1 + 4 + 4 + 4
	slot := walSlot
	for slot < len(body)+around {
		slot *= 2
	}
	if slot > walMaxSlot {
		return nil, fmt.Errorf("the zone table has %d bytes; at most %d are supported", len(body), walMaxSlot-around)
	}
	header := append([]byte(walMagic), '0'+byte(h.version))
	header = le.AppendUint32(header, uint32(slot))
	header = le.AppendUint32(header, uint32(len(body)))
	header = append(header, body...)
	header = le.AppendUint32(header, sum(header))
	out := make([]byte, 2*slot)
	copy(out, header)
	copy(out[slot:], header)
	return out, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

func joinLayouts(layouts []spftrack.Layout) string {
	names := make([]string, len(layouts))
	for i, l := range layouts {
		names[i] = string(l)
	}
	return strings.Join(names, ",")
}

var errHeader = errors.New("no valid header")

// errWALVersion is wrapped by the errors about wal files of later versions.
var errWALVersion = errors.New("this file was written by a later version of nullspfd, in version")

// readWALHeader reads the header of a file whose name holds key, and tells
// where the blocks begin.
func readWALHeader(r io.ReaderAt, key uint64) (h *walHeader, blocks int64, damaged bool, err error) {
	if h, slot, err := readHeaderCopy(r, 0, key); err == nil {
		_, _, second := readHeaderCopy(r, int64(slot), key)
		return h, 2 * int64(slot), second != nil, nil
	} else if !errors.Is(err, errHeader) {
		return nil, 0, false, err
	}
	for slot := int64(walSlot); slot <= walMaxSlot; slot *= 2 {
		h, n, err := readHeaderCopy(r, slot, key)
		if err == nil && int64(n) == slot {
			return h, 2 * slot, true, nil
		}
		if err != nil && !errors.Is(err, errHeader) {
			return nil, 0, false, err
		}
	}
	return nil, 0, true, errHeader
}

func readHeaderCopy(r io.ReaderAt, offset int64, key uint64) (h *walHeader, slot int, err error) {
	const fixed = len(walMagic) + 1 + 4 + 4
	var start [fixed]byte
	if err := readFull(r, start[:], offset); err != nil {
		return nil, 0, err
	}
	le := binary.LittleEndian
	version := int(start[len(walMagic)]) - '0'
	slot = int(le.Uint32(start[len(walMagic)+1:]))
	length := int(le.Uint32(start[len(walMagic)+5:]))
	if string(start[:len(walMagic)]) != walMagic || version < 1 || version > 9 || slot < walSlot || slot > walMaxSlot || slot&(slot-1) != 0 ||
		length > slot-fixed-4 {
		return nil, 0, errHeader
	}
	b := make([]byte, fixed+length+4)
	if err := readFull(r, b, offset); err != nil {
		return nil, 0, err
	}
	if sum(b[:fixed+length]) != le.Uint32(b[fixed+length:]) {
		return nil, 0, errHeader
	}
	if version > walVersion {
		return nil, 0, fmt.Errorf("%w %d; this one reads up to %d. Run the nullspfd that wrote it, or give this one another directory", errWALVersion, version, walVersion)
	}
	if h, err = decodeHeader(b[fixed : fixed+length]); err != nil || h.key != key {
		return nil, 0, errHeader
	}
	h.version = version
	return h, slot, nil
}

// readFull reads len(b) bytes; a file that ends before has no valid header.
func readFull(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == io.EOF:
		return errHeader
	}
	return err
}

func decodeHeader(body []byte) (*walHeader, error) {
	le := binary.LittleEndian
	if len(body) < 4*8 {
		return nil, errHeader
	}
	h := &walHeader{
		key:     le.Uint64(body),
		first:   le.Uint64(body[8:]),
		bound:   le.Uint64(body[16:]),
		created: int64(le.Uint64(body[24:])),
	}
	if h.first == 0 || h.bound < h.first {
		return nil, errHeader
	}
	rest := body[32:]
	ok := true
	text := func() string {
		if len(rest) < 2 || len(rest) < 2+int(le.Uint16(rest)) {
			ok = false
			return ""
		}
		n := int(le.Uint16(rest))
		s := string(rest[2 : 2+n])
		rest = rest[2+n:]
		return s
	}
	h.server = text()
	if !ok || len(rest) < 2 {
		return nil, errHeader
	}
	n := int(le.Uint16(rest))
	rest = rest[2:]
	for range n {
		z := walZone{name: text()}
		for l := range strings.SplitSeq(text(), ",") {
			if layout, err := spftrack.ParseLayout(l); err == nil {
				z.layouts = append(z.layouts, layout)
			}
		}
		if !ok {
			return nil, errHeader
		}
		h.zones = append(h.zones, z)
	}
	return h, nil
}
