package tally

import (
	"encoding/binary"
	"slices"
	"sort"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// largeDecoder is for blocks that may be larger than those of counts.
var largeDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxClientBlock))
})

// ClientRows are the attempts of a client.
type ClientRows struct {
	client string
	parts  []clientPart
}

// clientPart is those that are in a block.
type clientPart struct {
	rows    int
	columns []columnPart
}

// columnPart is the values of a column: of each row the number, in width bytes, that it is more
// than least, or the place of its text.
type columnPart struct {
	column *eventrow.Column
	least  int64
	width  int
	data   []byte
	texts  []string
}

// Client returns the attempts of a client, of which it reads some columns; nil: the summary
// does not have the rows of the client, or they are damaged.
func (s *Summary) Client(client string, wanted func(*eventrow.Column) bool) *ClientRows {
	n, ok := s.Count(IPs, client)
	if !ok || n < leastAttempts || n > mostAttempts {
		return nil
	}
	blocks, err := s.blocksOf(&s.clients)
	if err != nil {
		return nil
	}
	first := sort.Search(len(blocks), func(i int) bool { return blocks[i].first >= client })
	rows := &ClientRows{client: client}
	for i := max(first-1, 0); i < len(blocks) && blocks[i].first <= client; i++ {
		b, err := s.clientBlock(&blocks[i])
		if err != nil {
			return nil
		}
		part, err := b.part(b.rowsOf(client), withDerived(wanted))
		if err != nil {
			return nil
		}
		if part.rows > 0 {
			rows.parts = append(rows.parts, part)
		}
	}
	if n != uint64(rows.Len()) {
		return nil
	}
	return rows
}

// withDerived also wants what wanted columns are told from.
func withDerived(wanted func(*eventrow.Column) bool) func(*eventrow.Column) bool {
	return func(c *eventrow.Column) bool {
		return wanted(c) || slices.ContainsFunc(derivedColumns, func(d derived) bool { return wanted(d.column) && slices.Contains(d.from, c) })
	}
}

// rowRange is some of the rows of a block.
type rowRange struct{ from, n int }

// clientBlock is a block of rows without compression.
type clientBlock struct {
	clients []string
	ranges  []rowRange
	rows    int
	columns [][]byte
}

// clientBlock reads a block.
func (s *Summary) clientBlock(b *block) (*clientBlock, error) {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	*scratch = slices.Grow((*scratch)[:0], b.size)[:b.size]
	packed := *scratch
	if n, err := s.r.ReadAt(packed, b.offset); n < len(packed) {
		return nil, noEOF(err)
	}
	if xxhash.Sum64(packed) != b.sum {
		return nil, errBlock
	}
	d, err := largeDecoder()
	if err != nil {
		return nil, err
	}
	raw, err := d.DecodeAll(packed, make([]byte, 0, b.raw))
	if err != nil || len(raw) != b.raw {
		return nil, errBlock
	}
	return parseClientBlock(raw)
}

func parseClientBlock(raw []byte) (*clientBlock, error) {
	p := parser{b: raw}
	b := new(clientBlock)
	for range p.length() {
		text, rows := view(p.bytes(p.length())), p.number()
		if p.bad || rows > blockRows {
			return nil, errBlock
		}
		b.clients, b.ranges = append(b.clients, text), append(b.ranges, rowRange{b.rows, int(rows)})
		if b.rows += int(rows); b.rows > blockRows {
			return nil, errBlock
		}
	}
	for range p.length() {
		b.columns = append(b.columns, p.bytes(p.length()))
	}
	if p.bad || len(p.b) > 0 {
		return nil, errBlock
	}
	return b, nil
}

// rowsOf are those of a client.
func (b *clientBlock) rowsOf(client string) rowRange {
	if i := slices.Index(b.clients, client); i >= 0 {
		return b.ranges[i]
	}
	return rowRange{}
}

// part finds the values of rows in some columns.
func (b *clientBlock) part(rows rowRange, wanted func(*eventrow.Column) bool) (part clientPart, err error) {
	part.rows = rows.n
	if rows.n == 0 {
		return part, nil
	}
	for i, values := range b.columns {
		if i >= len(eventrow.Columns) || len(values) == 0 || !wanted(eventrow.Columns[i]) {
			continue
		}
		k := columnPart{column: eventrow.Columns[i]}
		if err := k.parse(values, rows, b.rows); err != nil {
			return part, err
		}
		part.columns = append(part.columns, k)
	}
	return part, nil
}

// checkClients reads all rows of clients.
func (s *Summary) checkClients() error {
	blocks, err := s.blocksOf(&s.clients)
	if err != nil {
		return err
	}
	rows := uint64(0)
	for i := range blocks {
		b, err := s.clientBlock(&blocks[i])
		if err != nil {
			return err
		}
		if _, err := b.part(rowRange{0, b.rows}, func(*eventrow.Column) bool { return true }); err != nil {
			return err
		}
		rows += uint64(b.rows)
	}
	if rows != s.clients.total {
		return errBlock
	}
	return nil
}

// parse finds the values of some of all rows of a block.
func (k *columnPart) parse(values []byte, rows rowRange, all int) error {
	p := parser{b: values}
	isText := k.column.Kind == parquet.ByteArray
	if isText {
		n := p.length()
		if n > all {
			return errBlock
		}
		k.texts = make([]string, n)
		lengths := parser{b: p.b}
		for range k.texts {
			p.number()
		}
		for i := range k.texts {
			k.texts[i] = view(p.bytes(int(min(lengths.number(), uint64(len(p.b)+1)))))
		}
	} else {
		n, size := binary.Varint(p.b)
		if size <= 0 {
			return errBlock
		}
		k.least, p.b = n, p.b[size:]
	}
	width := p.bytes(1)
	if p.bad || width[0] > 8 || len(p.b) != all*int(width[0]) {
		return errBlock
	}
	k.width = int(width[0])
	k.data = p.b[rows.from*k.width:][:rows.n*k.width]
	if isText {
		for i := range rows.n {
			if fixed(k.data[i*k.width:], k.width) >= uint64(len(k.texts)) {
				return errBlock
			}
		}
	}
	return nil
}

// Len is the number of attempts.
func (r *ClientRows) Len() (n int) {
	for i := range r.parts {
		n += r.parts[i].rows
	}
	return n
}

// Each calls yield with the attempts in the order of the segment, of which those columns are set
// that were wanted. A row is valid until yield returns, its texts remain.
func (r *ClientRows) Each(yield func(*eventrow.Row) error) error {
	var out eventrow.Row
	for i := range r.parts {
		part := &r.parts[i]
		for row := range part.rows {
			out = eventrow.Row{ClientIP: r.client}
			for j := range part.columns {
				part.columns[j].set(&out, row)
			}
			for _, d := range derivedColumns {
				if text := d.column.Text(&out); text != "" {
					d.column.SetText(&out, d.restore(text, &out))
				}
			}
			if err := yield(&out); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *columnPart) set(r *eventrow.Row, row int) {
	n := fixed(k.data[row*k.width:], k.width)
	switch k.column.Kind {
	case parquet.ByteArray:
		k.column.SetText(r, k.texts[n])
	case parquet.Int64:
		k.column.Set(r, parquet.Int64Value(k.least+int64(n)))
	case parquet.Int32:
		k.column.Set(r, parquet.Int32Value(int32(k.least+int64(n))))
	case parquet.Boolean:
		k.column.Set(r, parquet.BooleanValue(k.least+int64(n) != 0))
	}
}
