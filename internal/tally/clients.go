package tally

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"nullspf/internal/eventrow"
)

// The events of a client lie all over a segment: to read them is to read all pages of it. So
// a summary has the attempts of the busiest clients once more, client after client, in blocks.
// A block, each compressed by itself, has some rows, column by column; integers are of
// variable length:
//
//	clients   number; of each: length and text of the address, rows
//	columns   number; of each of [eventrow.Columns]: length, values
//	values    of numbers: least (zigzag), width; of each row what it is more, in width bytes
//	          of texts: number, lengths, texts, width; of each row the place of its text
//
// The column of the clients is empty. A column whose rows all have the same number or no
// text has none of the latter, or no values.

const (
	// A client has whole rows when it has at least leastAttempts and at most mostAttempts in
	// the segment, and together they have a part of all attempts, one in clientShare.
	leastAttempts = 2
	mostAttempts  = 32 << 10
	clientShare   = 4
	// blockRows is how many rows a block has at most, clientRows how many are made at once.
	blockRows  = 512
	clientRows = 128 << 10
	// maxClientBlock bounds a block without compression; a row has less than 8 kB.
	maxClientBlock = blockRows << 13
)

// derived is a column whose text can be told from others, mostly.
type derived struct {
	column *eventrow.Column
	from   []*eventrow.Column
}

// In these columns, a byte below len(from) stands for the text of another column. A text that
// has such a byte, which no event has, stands as it is behind the byte len(from).
var derivedColumns = []derived{
	{eventrow.SenderDomain, []*eventrow.Column{eventrow.ForgedDomain}},
	{eventrow.RawName, []*eventrow.Column{eventrow.HELO, eventrow.SenderLocal, eventrow.ClientIP, eventrow.ForgedDomain}},
}

func derivedOf(c *eventrow.Column) *derived {
	for i := range derivedColumns {
		if derivedColumns[i].column == c {
			return &derivedColumns[i]
		}
	}
	return nil
}

// shorten puts numbers in the place of other columns' texts.
func (d *derived) shorten(r *eventrow.Row) string {
	whole := d.column.Text(r)
	short := whole
	for i, c := range d.from {
		if text := c.Text(r); text != "" {
			short = strings.Replace(short, text, string([]byte{byte(i)}), 1)
		}
	}
	if d.restore(short, r) != whole {
		return string([]byte{byte(len(d.from))}) + whole
	}
	return short
}

// restore is the text that was shortened.
func (d *derived) restore(short string, r *eventrow.Row) string {
	switch {
	case short == "":
		return ""
	case int(short[0]) == len(d.from):
		return short[1:]
	case len(short) == 1 && int(short[0]) < len(d.from):
		return d.from[short[0]].Text(r)
	}
	var b []byte
	for i := range len(short) {
		if c := short[i]; int(c) < len(d.from) {
			b = append(b, d.from[c].Text(r)...)
		} else {
			b = append(b, c)
		}
	}
	return view(b)
}

func widthOf(n uint64) int { return (bits.Len64(n) + 7) / 8 }

func appendFixed(b []byte, n uint64, width int) []byte {
	var buf [8]byte
	binary.LittleEndian.PutUint64(buf[:], n)
	return append(b, buf[:width]...)
}

func fixed(b []byte, width int) uint64 {
	var buf [8]byte
	copy(buf[:], b[:width])
	return binary.LittleEndian.Uint64(buf[:])
}
