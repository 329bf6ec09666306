package tally

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"io"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// A summary tells in which rows of the segment the attempts of a client are, unless there are more
// than mostAttempts. To each block of counts of clients belongs one of rows: for each client in
// order, those of its attempts in order, each with as many bits as the number of all rows needs,
// the lowest bits of a byte first.

// attemptRow is the row of an attempt and the hash of its client.
type attemptRow struct {
	hash uint64
	row  int32
}

// placesWriter finds the rows of clients and writes them.
type placesWriter struct {
	seed maphash.Seed
	// attempts are in order of their hashes, then of rows.
	attempts []attemptRow
	// width is that of a row, in bits; none is no row.
	width int
	none  uint64
	w     io.Writer
	out   *section

	// block is that of the counts to which the rows in packed belong, used the number of bits.
	block  int
	packed []byte
	used   int
}

// find finds the rows of all clients.
func (p *placesWriter) find(f *parquet.File, attempts [][]int32) error {
	p.seed = maphash.MakeSeed()
	first := int32(0)
	for i, g := range f.RowGroups() {
		if err := p.findIn(f, g, attempts[i], first); err != nil {
			return err
		}
		first += int32(g.NumRows())
	}
	slices.SortFunc(p.attempts, func(a, b attemptRow) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.row, b.row)) })
	return nil
}

// findIn finds the rows of a group, which begins at the row first.
func (p *placesWriter) findIn(f *parquet.File, g parquet.RowGroup, attempts []int32, first int32) error {
	client, err := column(f, g, eventrow.ClientIP)
	if err != nil {
		return err
	}
	defer client.Close()
	var row eventrow.Row
	for _, r := range attempts {
		if _, err := client.Load(int64(r)); err != nil {
			return err
		}
		client.Set(&row, int64(r))
		if row.ClientIP != "" {
			p.attempts = append(p.attempts, attemptRow{maphash.String(p.seed, row.ClientIP), first + r})
		}
	}
	return nil
}

// rows are those of a client that has n attempts; none when another has the same hash.
func (p *placesWriter) rows(client string, n uint64) []attemptRow {
	hash := maphash.String(p.seed, client)
	i, _ := slices.BinarySearchFunc(p.attempts, hash, func(a attemptRow, hash uint64) int { return cmp.Compare(a.hash, hash) })
	end := i
	for end < len(p.attempts) && p.attempts[end].hash == hash {
		end++
	}
	if uint64(end-i) != n {
		return nil
	}
	return p.attempts[i:end]
}

// add adds the rows of a client that has n attempts and whose count is in a block. Instead of rows
// that were not found stands the number of all rows.
func (p *placesWriter) add(block int, rows []attemptRow, n int) error {
	if err := p.end(block); err != nil {
		return err
	}
	for i := range n {
		row := p.none
		if rows != nil {
			row = uint64(rows[i].row)
		}
		p.packed = appendBits(p.packed, p.used, row, p.width)
		p.used += p.width
	}
	return nil
}

// end writes the blocks before one.
func (p *placesWriter) end(block int) error {
	for p.block < block {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// flush writes the rows of a block.
func (p *placesWriter) flush() error {
	if _, err := p.w.Write(p.packed); err != nil {
		return err
	}
	s := p.out
	s.blocks = append(s.blocks, block{s.offset + s.length, len(p.packed), len(p.packed), xxhash.Sum64(p.packed), ""})
	s.length += int64(len(p.packed))
	s.total += uint64(p.used / max(p.width, 1))
	p.packed, p.used, p.block = p.packed[:0], 0, p.block+1
	return nil
}

// appendBits appends the lowest bits of a number to those that are in b.
func appendBits(b []byte, used int, n uint64, width int) []byte {
	for i := range width {
		if used%8 == 0 {
			b = append(b, 0)
		}
		b[used/8] |= byte(n>>i&1) << (used % 8)
		used++
	}
	return b
}

// bitsAt returns the bits from a place on.
func bitsAt(b []byte, at, width int) uint64 {
	var buf [8]byte
	copy(buf[:], b[at/8:])
	return binary.LittleEndian.Uint64(buf[:]) >> (at % 8) & (1<<width - 1)
}

// RowsOf returns the rows of the segment in which the attempts of a client are, in order; false:
// the summary does not tell, or is damaged.
func (s *Summary) RowsOf(client string) ([]int32, bool) {
	c, ok := s.count(IPs, client)
	if !ok || c.n > mostAttempts || c.block >= s.places.count {
		return nil, false
	}
	if c.n == 0 {
		return nil, true
	}
	blocks, err := s.blocksOf(&s.places)
	if err != nil {
		return nil, false
	}
	k := &blocks[c.block]
	width := bits.Len64(s.Rows)
	if c.before > uint64(k.size)*8 || int(c.before+c.n)*width > k.size*8 || width > 32 {
		return nil, false
	}
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	*scratch = slices.Grow((*scratch)[:0], k.size)[:k.size]
	packed := *scratch
	if n, err := s.r.ReadAt(packed, k.offset); n < len(packed) || err != nil && err != io.EOF || xxhash.Sum64(packed) != k.sum {
		return nil, false
	}
	var rows []int32
	for i := range int(c.n) {
		row := bitsAt(packed, (int(c.before)+i)*width, width)
		if row >= s.Rows || len(rows) > 0 && int32(row) <= rows[len(rows)-1] {
			return nil, false
		}
		rows = append(rows, int32(row))
	}
	return rows, true
}
