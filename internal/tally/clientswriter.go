package tally

import (
	"cmp"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// clientsWriter writes whole rows of clients.
type clientsWriter struct {
	f      *parquet.File
	groups []parquet.RowGroup
	w      io.Writer
	out    *section

	texts  []string
	counts []int32
	// begins is the place of the first row of each client among those of all clients, all are the
	// rows and their places.
	begins []int
	all    []place
}

// place is a row of the segment, and its place among the rows of all clients.
type place struct{ row, at int32 }

// choose writes the places of all clients, whose counts are in blocks, and chooses those that get whole
// rows: the busiest first, those of the same number of attempts all or none, as long as they
// have no more than their share.
func (c *clientsWriter) choose(runs []Run, attempts uint64, blocks []block, places *placesWriter) error {
	var clients [mostAttempts + 1]uint64
	err := Merge(again(runs), func(_ string, n uint64) error {
		if n <= mostAttempts {
			clients[n]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	left := attempts / clientShare
	for n := uint64(mostAttempts); n > 0; n-- {
		if n < leastAttempts || n*clients[n] > left {
			clients[n] = 0
		}
		left -= n * clients[n]
	}
	k := 0
	err = Merge(again(runs), func(text string, n uint64) error {
		for k+1 < len(blocks) && blocks[k+1].first <= text {
			k++
		}
		if n > mostAttempts {
			return nil
		}
		rows := places.rows(text, n)
		if err := places.add(k, rows, int(n)); err != nil {
			return err
		}
		if clients[n] > 0 && len(rows) > 0 {
			c.add(text, rows)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(c.all, func(a, b place) int { return cmp.Compare(a.row, b.row) })
	return places.end(len(blocks))
}

// add adds a client, whose text is greater than that of the one before.
func (c *clientsWriter) add(client string, rows []attemptRow) {
	c.begins = append(c.begins, len(c.all))
	c.texts, c.counts = append(c.texts, strings.Clone(client)), append(c.counts, int32(len(rows)))
	for _, r := range rows {
		c.all = append(c.all, place{r.row, int32(len(c.all))})
	}
}

// write writes the rows, some at once.
func (c *clientsWriter) write() error {
	for from := 0; from < len(c.texts); {
		end, rows := from, 0
		for end < len(c.texts) && (end == from || rows+int(c.counts[end]) <= clientRows) {
			rows += int(c.counts[end])
			end++
		}
		if err := c.writeSome(from, end, rows); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// writeSome writes the rows of the clients from one to before another.
func (c *clientsWriter) writeSome(from, end, rows int) error {
	first := int32(c.begins[from])
	blocks := make([][]byte, (rows+blockRows-1)/blockRows)
	firsts := make([]string, len(blocks))
	client, left := from, int(c.counts[from])
	for i := range blocks {
		firsts[i] = c.texts[client]
		blocks[i], client, left = c.appendClients(nil, client, left, min(rows-i*blockRows, blockRows), end)
	}
	var values columnValues
	for _, column := range eventrow.Columns {
		if err := c.load(&values, column, first, rows); err != nil {
			return err
		}
		for i := range blocks {
			k := i * blockRows
			encoded := values.encode(k, min(k+blockRows, rows))
			blocks[i] = append(binary.AppendUvarint(blocks[i], uint64(len(encoded))), encoded...)
		}
	}
	e, err := encoder()
	if err != nil {
		return err
	}
	for i, raw := range blocks {
		if len(raw) > maxClientBlock {
			continue // such texts no event has
		}
		packed := e.EncodeAll(raw, nil)
		if _, err := c.w.Write(packed); err != nil {
			return err
		}
		s := c.out
		s.blocks = append(s.blocks, block{s.offset + s.length, len(packed), len(raw), xxhash.Sum64(packed), firsts[i]})
		s.length += int64(len(packed))
	}
	c.out.total += uint64(rows)
	return nil
}

// appendClients appends the clients of the next rows. Of the first one, left rows are left; it
// returns the client that is next, and how many rows of it are left.
func (c *clientsWriter) appendClients(b []byte, client, left, rows, end int) ([]byte, int, int) {
	n := 0
	var list []byte
	for ; rows > 0; n++ {
		take := min(left, rows)
		list = binary.AppendUvarint(list, uint64(len(c.texts[client])))
		list = append(list, c.texts[client]...)
		list = binary.AppendUvarint(list, uint64(take))
		rows -= take
		if left -= take; left == 0 {
			if client++; client < end {
				left = int(c.counts[client])
			}
		}
	}
	b = append(binary.AppendUvarint(b, uint64(n)), list...)
	return binary.AppendUvarint(b, uint64(len(eventrow.Columns))), client, left
}

// columnValues are the values of a column in rows: numbers, or texts in memory.
type columnValues struct {
	numbers []int64
	texts   []string
	memory  []byte
	column  *eventrow.Column
	rows    int
}

// load reads a column of the rows whose places are first and those after it.
func (c *clientsWriter) load(v *columnValues, col *eventrow.Column, first int32, rows int) error {
	v.column, v.rows, v.memory = col, rows, nil
	if col.Kind == parquet.ByteArray {
		v.texts = slices.Grow(v.texts[:0], rows)[:rows]
		clear(v.texts)
	} else {
		v.numbers = slices.Grow(v.numbers[:0], rows)[:rows]
		clear(v.numbers)
	}
	if col == eventrow.ClientIP {
		return nil
	}
	needed := []*eventrow.Column{col}
	d := derivedOf(col)
	if d != nil {
		needed = append(needed, d.from...)
	}
	begin := int64(0)
	for _, g := range c.groups {
		if err := c.loadGroup(v, g, needed, d, begin, first); err != nil {
			return err
		}
		begin += g.NumRows()
	}
	return nil
}

func (c *clientsWriter) loadGroup(v *columnValues, g parquet.RowGroup, needed []*eventrow.Column, d *derived, begin int64, first int32) error {
	var readers []*Column
	for _, k := range needed {
		if c.f.Root().Column(k.Name) == nil && k.Added {
			continue
		}
		reader, err := column(c.f, g, k)
		if err != nil {
			return err
		}
		defer reader.Close()
		readers = append(readers, reader)
	}
	if len(readers) == 0 {
		return nil
	}
	var row eventrow.Row
	i, _ := slices.BinarySearchFunc(c.all, begin, func(p place, begin int64) int { return cmp.Compare(int64(p.row), begin) })
	for _, p := range c.all[i:] {
		at, number := p.at-first, int64(p.row)-begin
		if number >= g.NumRows() {
			break
		}
		if at < 0 || int(at) >= v.rows {
			continue
		}
		for _, reader := range readers {
			if _, err := reader.Load(number); err != nil {
				return err
			}
			reader.Set(&row, number)
		}
		v.set(int(at), &row, d)
	}
	return nil
}

func (v *columnValues) set(at int, r *eventrow.Row, d *derived) {
	switch v.column.Kind {
	case parquet.Int64:
		v.numbers[at] = v.column.Int64(r)
	case parquet.Int32:
		v.numbers[at] = int64(v.column.Int32(r))
	case parquet.Boolean:
		if v.column.Bool(r) {
			v.numbers[at] = 1
		}
	default:
		text := v.column.Text(r)
		if d != nil {
			text = d.shorten(r)
		}
		v.texts[at] = v.keep(text)
	}
}

// keep copies a text.
func (v *columnValues) keep(text string) string {
	if cap(v.memory)-len(v.memory) < len(text) {
		v.memory = make([]byte, 0, max(1<<20, len(text)))
	}
	n := len(v.memory)
	v.memory = append(v.memory, text...)
	return view(v.memory[n:])
}

// encode makes the values of rows of a block.
func (v *columnValues) encode(from, end int) []byte {
	if v.column.Kind == parquet.ByteArray {
		return encodeTexts(v.texts[from:end])
	}
	numbers := v.numbers[from:end]
	least := slices.Min(numbers)
	width := widthOf(uint64(slices.Max(numbers)) - uint64(least))
	b := append(binary.AppendVarint(nil, least), byte(width))
	for _, n := range numbers {
		b = appendFixed(b, uint64(n)-uint64(least), width)
	}
	return b
}

func encodeTexts(texts []string) []byte {
	places := make(map[string]uint64)
	var codes []uint64
	var lengths, bytes []byte
	for _, text := range texts {
		at, known := places[text]
		if !known {
			at = uint64(len(places))
			places[text] = at
			lengths = binary.AppendUvarint(lengths, uint64(len(text)))
			bytes = append(bytes, text...)
		}
		codes = append(codes, at)
	}
	if len(places) == 1 && len(bytes) == 0 {
		return nil
	}
	width := widthOf(uint64(len(places) - 1))
	b := slices.Concat(binary.AppendUvarint(nil, uint64(len(places))), lengths, bytes, []byte{byte(width)})
	for _, code := range codes {
		b = appendFixed(b, code, width)
	}
	return b
}
