package forgerylog

import (
	"fmt"
	"io"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/journal"
)

// The columns of journal.Row, in its order.
const (
	colSeq = iota
	colTS
	colServerID
	colZone
	colKind
	colClientIP
	colSenderLocal
	colSenderDomain
	colForgedDomain
	colHELO
	colResolver
	colResolverPort
	colTransport
	colQtype
	colClientSubnet
	colSourceVerified
	colFlags
	colAttempt
	colRawName
	columnCount
)

// columns is a set of columns, a bit each.
type columns uint32

const allColumns columns = 1<<columnCount - 1

func cols(list ...int) columns {
	var set columns
	for _, c := range list {
		set |= 1 << c
	}
	return set
}

func (s columns) has(c int) bool { return s&(1<<c) != 0 }

type setter = func(*journal.Row, parquet.Value)

// rowColumns tells of each column its name, its physical type, and how a value
// gets into a row.
var rowColumns = [columnCount]struct {
	name string
	kind parquet.Kind
	set  setter
}{
	colSeq:            {"seq", parquet.Int64, func(r *journal.Row, v parquet.Value) { r.Seq = v.Int64() }},
	colTS:             {"ts", parquet.Int64, func(r *journal.Row, v parquet.Value) { r.TS = v.Int64() }},
	colServerID:       {"server_id", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.ServerID = text(v) }},
	colZone:           {"zone", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.Zone = text(v) }},
	colKind:           {"kind", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.Kind = text(v) }},
	colClientIP:       {"client_ip", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.ClientIP = text(v) }},
	colSenderLocal:    {"sender_local", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.SenderLocal = text(v) }},
	colSenderDomain:   {"sender_domain", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.SenderDomain = text(v) }},
	colForgedDomain:   {"forged_domain", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.ForgedDomain = text(v) }},
	colHELO:           {"helo", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.HELO = text(v) }},
	colResolver:       {"resolver", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.Resolver = text(v) }},
	colResolverPort:   {"resolver_port", parquet.Int32, func(r *journal.Row, v parquet.Value) { r.ResolverPort = v.Int32() }},
	colTransport:      {"transport", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.Transport = text(v) }},
	colQtype:          {"qtype", parquet.Int32, func(r *journal.Row, v parquet.Value) { r.Qtype = v.Int32() }},
	colClientSubnet:   {"client_subnet", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.ClientSubnet = text(v) }},
	colSourceVerified: {"source_verified", parquet.Boolean, func(r *journal.Row, v parquet.Value) { r.SourceVerified = v.Boolean() }},
	colFlags:          {"flags", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.Flags = text(v) }},
	colAttempt:        {"attempt", parquet.Boolean, func(r *journal.Row, v parquet.Value) { r.Attempt = v.Boolean() }},
	colRawName:        {"raw_name", parquet.ByteArray, func(r *journal.Row, v parquet.Value) { r.RawName = text(v) }},
}

// text is the text of a value, in the memory of its page: pages are left to the
// garbage collector and never released.
func text(v parquet.Value) string {
	b := v.ByteArray()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// columnReader reads a column of a row group at rising rows, only the pages
// that hold them.
type columnReader struct {
	chunk parquet.ColumnChunk
	pages parquet.Pages
	set   setter
	// values are those of the rows from first up to, not including, next.
	values      []parquet.Value
	first, next int64
}

func newColumnReader(chunk parquet.ColumnChunk, set setter) *columnReader {
	return &columnReader{chunk: chunk, pages: chunk.Pages(), set: set}
}

// read puts the value of a row into r.
func (c *columnReader) read(row int64, r *journal.Row) error {
	if row >= c.next {
		if err := c.load(row); err != nil {
			return err
		}
	}
	c.set(r, c.values[row-c.first])
	return nil
}

// load reads the values from a row on, up to the end of its page.
func (c *columnReader) load(row int64) (err error) {
	defer recoverParquet(&err)
	if row > c.next {
		// Without the index of pages, those before the row are read.
		_, _ = c.chunk.OffsetIndex()
		if err := c.pages.SeekToRow(row); err != nil {
			return err
		}
	}
	page, err := c.pages.ReadPage()
	if err != nil {
		return noEOF(err)
	}
	n := int(page.NumValues())
	if n == 0 {
		return fmt.Errorf("row %d is in an empty page", row)
	}
	if cap(c.values) < n {
		c.values = make([]parquet.Value, n)
	}
	c.values = c.values[:n]
	values := page.Values()
	for have := 0; have < n; {
		m, err := values.ReadValues(c.values[have:])
		have += m
		if have < n && (err != nil || m == 0) {
			return noEOF(err)
		}
	}
	c.first, c.next = row, row+int64(n)
	return nil
}

func (c *columnReader) close() { _ = c.pages.Close() }

// noEOF makes an error of an end that comes too early.
func noEOF(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// recoverParquet turns a panic of the Parquet reader on a damaged file into an
// error.
func recoverParquet(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
