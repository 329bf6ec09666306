package tally

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// Identity is the segment that a summary is of.
type Identity struct {
	// SHA256 of the file in hexadecimal digits, its size in bytes, its rows.
	SHA256 string
	Bytes  int64
	Rows   uint64
}

// Field is one of what a summary counts.
type Field int

// The fields.
const (
	IPs Field = iota
	Nets
	Senders
	HELOs
	Domains
	Resolvers
	fields
)

// keys are those of the fields.
var keys = [fields]*Key{IPs: &ClientIP, Nets: &ClientNet, Senders: &Sender, HELOs: &HELO, Domains: &Domain, Resolvers: &Resolver}

// Summary is the file beside a segment; integers are little-endian or of variable
// length (LEB128), sums XXH64:
//
//	blocks of counts of each field
//	blocks of the rows in which attempts of clients are, further counts of these, counts of
//	    clients without attempts
//	blocks of whole rows of clients
//	contents:
//	  segment     length and text of the SHA-256 sum, bytes, rows
//	  sums        for each 64 KiB of the segment, uint64
//	  attempts    number
//	  minutes     number; of each: distance to the one before (zigzag), attempts
//	  fields      of each: counted attempts, offset, length, number of blocks; of each
//	              block: length, length without compression, sum uint64, first text
//	  places      the same for the rows of clients, clients for whole rows, further counts,
//	              counts of clients without attempts
//	length of contents uint32, sum of contents uint64, "nullsum2"
//
// "nullsum1", of earlier versions, ends with fields.
type Summary struct {
	r io.ReaderAt
	Identity
	// Attempts is how many events of the segment are attempts.
	Attempts uint64
	// Minutes are those that have attempts, in order.
	Minutes []Minute
	sums    []uint64
	fields  [fields]section
	// places are where the attempts of clients are, clients the whole rows of the busiest ones;
	// total is their number.
	places, clients section
	// further are the counts of other events of clients than attempts, alone those of clients
	// without attempts.
	further, alone section
	// Old: it was written by an earlier version.
	Old bool

	mu sync.Mutex
	// verified are the blocks of the segment that were found good.
	verified []bool
	// last is what was counted last: who asks for a client does so more than once.
	last counted
}

// Minute is how many attempts a minute has.
type Minute struct {
	// Start is minutes since 1970-01-01 UTC.
	Start int64
	N     uint64
}

// section is the counts of a field.
type section struct {
	// total is the sum of all counts.
	total          uint64
	offset, length int64
	blocks         []block
}

const (
	summaryMagic = "nullsum2"
	oldMagic     = "nullsum1"
	trailerSize  = 4 + 8 + len(summaryMagic)
	// maxContents bounds the contents, in bytes.
	maxContents = 64 << 20
	// sumBlock is the size of a block of the segment that has a sum.
	sumBlock = 64 << 10
	// buildBudget is how much memory the table of a field takes while a
	// summary is made.
	buildBudget = 64 << 20
)

var errSummary = errors.New("no summary of the segment")

// Build writes the summary of a segment; data is the whole file, f the same opened.
func Build(w io.Writer, id Identity, data io.ReaderAt, f *parquet.File) (err error) {
	defer Recover(&err)
	buf := bufio.NewWriterSize(w, 256<<10)
	s := &Summary{Identity: id}
	if err := s.sumBlocks(data); err != nil {
		return err
	}
	attempts, err := s.countAttempts(f)
	if err != nil {
		return err
	}
	offset := int64(0)
	places := &placesWriter{width: bits.Len64(s.Rows), none: s.Rows, w: buf, out: &s.places}
	if err := places.find(f, attempts); err != nil {
		return err
	}
	clients := &clientsWriter{w: buf, f: f, groups: f.RowGroups(), out: &s.clients}
	for i, key := range keys {
		counted := func([]Run) error { return nil }
		if Field(i) == IPs {
			counted = func(runs []Run) error {
				s.places.offset = s.fields[IPs].length
				if err := clients.choose(runs, s.Attempts, s.fields[IPs].blocks, places); err != nil {
					return err
				}
				return s.writePackets(buf, f, attempts, runs, s.places.offset+s.places.length)
			}
		}
		s.fields[i].offset = offset
		if err := countField(buf, f, key, attempts, &s.fields[i], counted); err != nil {
			return err
		}
		offset += s.fields[i].length
		if Field(i) == IPs {
			offset = s.alone.offset + s.alone.length
		}
	}
	s.clients.offset = offset
	if err := clients.write(); err != nil {
		return err
	}
	contents := s.appendContents(nil)
	if len(contents) > maxContents {
		return fmt.Errorf("a summary has contents of %d bytes", len(contents))
	}
	trailer := binary.LittleEndian.AppendUint32(nil, uint32(len(contents)))
	trailer = binary.LittleEndian.AppendUint64(trailer, xxhash.Sum64(contents))
	for _, b := range [][]byte{contents, append(trailer, summaryMagic...)} {
		if _, err := buf.Write(b); err != nil {
			return err
		}
	}
	return buf.Flush()
}

func (s *Summary) sumBlocks(data io.ReaderAt) error {
	b := make([]byte, sumBlock)
	for offset := int64(0); offset < s.Bytes; offset += sumBlock {
		n := min(s.Bytes-offset, sumBlock)
		if m, err := data.ReadAt(b[:n], offset); int64(m) < n {
			return noEOF(err)
		}
		s.sums = append(s.sums, xxhash.Sum64(b[:n]))
	}
	return nil
}

// column opens a column of a row group.
func column(f *parquet.File, g parquet.RowGroup, c *eventrow.Column) (*Column, error) {
	leaf := f.Root().Column(c.Name)
	if leaf == nil {
		return nil, fmt.Errorf("there is no column %s", c.Name)
	}
	return NewColumn(g.ColumnChunks()[leaf.Index()], c, true), nil
}

// countAttempts counts the attempts of each minute, and returns their rows in each
// row group.
func (s *Summary) countAttempts(f *parquet.File) (attempts [][]int32, err error) {
	minutes := make(map[int64]uint64)
	for _, g := range f.RowGroups() {
		truth, err := column(f, g, eventrow.Attempt)
		if err != nil {
			return nil, err
		}
		defer truth.Close()
		ts, err := column(f, g, eventrow.TS)
		if err != nil {
			return nil, err
		}
		defer ts.Close()
		var rows []int32
		for row := range g.NumRows() {
			if _, err := truth.Load(row); err != nil {
				return nil, err
			}
			if !truth.Truth(row) {
				continue
			}
			if _, err := ts.Load(row); err != nil {
				return nil, err
			}
			rows = append(rows, int32(row))
			minutes[floorDiv(ts.Int64(row), 60e9)]++
		}
		s.Attempts += uint64(len(rows))
		attempts = append(attempts, rows)
	}
	for start, n := range minutes {
		s.Minutes = append(s.Minutes, Minute{start, n})
	}
	slices.SortFunc(s.Minutes, func(a, b Minute) int {
		if a.Start < b.Start {
			return -1
		}
		return 1
	})
	return attempts, nil
}

func floorDiv(t, unit int64) int64 {
	q := t / unit
	if t%unit < 0 {
		q--
	}
	return q
}

// countField writes the counts of a field, then calls counted with them.
func countField(w io.Writer, f *parquet.File, key *Key, attempts [][]int32, s *section, counted func([]Run) error) error {
	c := NewCounter(buildBudget)
	defer c.Close()
	of := key.Of()
	for i, g := range f.RowGroups() {
		var columns []*Column
		for _, k := range key.Columns {
			col, err := column(f, g, k)
			if err != nil {
				return err
			}
			defer col.Close()
			columns = append(columns, col)
		}
		err := Count(columns, attempts[i], of, nil, func(text string, n uint64) error {
			if text == "" {
				return nil
			}
			s.total += n
			return c.Add(text, n)
		})
		if err != nil {
			return err
		}
	}
	runs := c.Runs()
	if err := s.write(w, again(runs)); err != nil {
		return err
	}
	return counted(runs)
}

// write writes counts.
func (f *section) write(w io.Writer, runs []Run) error {
	out := &blockWriter{w: w, offset: f.offset}
	if err := Merge(runs, out.add); err != nil {
		return err
	}
	if err := out.flush(); err != nil {
		return err
	}
	f.blocks, f.length = out.blocks, out.offset-f.offset
	return nil
}

func (s *Summary) appendContents(b []byte) []byte {
	number := func(n uint64) { b = binary.AppendUvarint(b, n) }
	text := func(t string) {
		number(uint64(len(t)))
		b = append(b, t...)
	}
	text(s.SHA256)
	number(uint64(s.Bytes))
	number(s.Rows)
	for _, sum := range s.sums {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	number(s.Attempts)
	number(uint64(len(s.Minutes)))
	before := int64(0)
	for _, m := range s.Minutes {
		b = binary.AppendVarint(b, m.Start-before)
		number(m.N)
		before = m.Start
	}
	for _, f := range s.sections() {
		number(f.total)
		number(uint64(f.offset))
		number(uint64(f.length))
		number(uint64(len(f.blocks)))
		for _, k := range f.blocks {
			number(uint64(k.size))
			number(uint64(k.raw))
			b = binary.LittleEndian.AppendUint64(b, k.sum)
			text(k.first)
		}
	}
	return b
}

// sections are those of the fields and those that an old summary does not have.
func (s *Summary) sections() (list []*section) {
	for i := range s.fields {
		list = append(list, &s.fields[i])
	}
	if !s.Old {
		list = append(list, &s.places, &s.clients, &s.further, &s.alone)
	}
	return list
}

// Open reads the contents of a summary. It fails when the file is damaged, or is
// the summary of another segment.
func Open(r io.ReaderAt, size int64, id Identity) (*Summary, error) {
	if size < int64(trailerSize) {
		return nil, errSummary
	}
	trailer := make([]byte, trailerSize)
	if n, err := r.ReadAt(trailer, size-int64(trailerSize)); n < trailerSize {
		return nil, noEOF(err)
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	end := size - int64(trailerSize) - length
	magic := string(trailer[12:])
	if magic != summaryMagic && magic != oldMagic || length > maxContents || end < 0 {
		return nil, errSummary
	}
	contents := make([]byte, length)
	if n, err := r.ReadAt(contents, end); n < len(contents) {
		return nil, noEOF(err)
	}
	if xxhash.Sum64(contents) != binary.LittleEndian.Uint64(trailer[4:]) {
		return nil, errSummary
	}
	s := &Summary{r: r, Old: magic == oldMagic}
	p := parser{b: contents}
	s.parse(&p, end)
	if p.bad || len(p.b) > 0 || s.Identity != id {
		return nil, errSummary
	}
	s.verified = make([]bool, len(s.sums))
	return s, nil
}

// parser reads contents.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) number() uint64 {
	n, k := binary.Uvarint(p.b)
	if k <= 0 {
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[k:]
	return n
}

// length is a number of things that take a byte each at least.
func (p *parser) length() int {
	n := p.number()
	if n > uint64(len(p.b)) {
		p.b, p.bad = nil, true
		return 0
	}
	return int(n)
}

func (p *parser) bytes(n int) []byte {
	if n > len(p.b) {
		p.b, p.bad = nil, true
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

func (p *parser) sum() uint64 {
	if b := p.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (s *Summary) parse(p *parser, end int64) {
	s.SHA256 = string(p.bytes(p.length()))
	bytes := p.number()
	s.Rows = p.number()
	blocks := bytes/sumBlock + (bytes%sumBlock+sumBlock-1)/sumBlock
	if bytes > math.MaxInt64 || blocks > uint64(len(p.b)/8) {
		p.bad = true
		return
	}
	s.Bytes = int64(bytes)
	s.sums = make([]uint64, blocks)
	for i := range s.sums {
		s.sums[i] = p.sum()
	}
	s.Attempts = p.number()
	start, counted := int64(0), uint64(0)
	minutes := p.length()
	s.Minutes = make([]Minute, 0, min(minutes, 1<<16))
	for range minutes {
		distance, k := binary.Varint(p.b)
		if k <= 0 || len(s.Minutes) > 0 && distance <= 0 {
			p.bad = true
			return
		}
		p.b = p.b[k:]
		start += distance
		n := p.number()
		counted += n
		s.Minutes = append(s.Minutes, Minute{start, n})
	}
	p.bad = p.bad || counted != s.Attempts || s.Attempts > s.Rows
	for i, f := range s.sections() {
		largest := maxBlock
		switch f {
		case &s.places:
			largest = math.MaxInt32
		case &s.clients:
			largest = maxClientBlock
		case &s.further:
			largest = maxFurther
		}
		f.parse(p, end, uint64(largest))
		p.bad = p.bad || f.total > s.Rows || i < len(s.fields) && f.total > s.Attempts
	}
	p.bad = p.bad || s.fields[IPs].total+s.further.total+s.alone.total > s.Rows
}

// parse reads where the blocks of a section are, which lie before end.
func (f *section) parse(p *parser, end int64, largest uint64) {
	f.total = p.number()
	offset, length := p.number(), p.number()
	if offset > uint64(end) || length > uint64(end)-offset {
		p.bad = true
		return
	}
	f.offset, f.length = int64(offset), int64(length)
	at := f.offset
	blocks := p.length()
	f.blocks = make([]block, 0, min(blocks, 1<<12))
	for range blocks {
		size, raw := p.number(), p.number()
		if size > uint64(f.offset+f.length-at) || raw > largest {
			p.bad = true
			return
		}
		f.blocks = append(f.blocks, block{at, int(size), int(raw), p.sum(), view(p.bytes(p.length()))})
		at += int64(size)
	}
	p.bad = p.bad || at != f.offset+f.length
}

// Run is the counts of a field, and total their sum. It fails when they are damaged.
func (s *Summary) Run(field Field) (run Run, total uint64, err error) {
	f := &s.fields[field]
	if err := s.checkSums(f); err != nil {
		return nil, 0, err
	}
	return newBlockRun(s.r, f.blocks), f.total, nil
}

// checkSums compares the sums of blocks.
func (s *Summary) checkSums(f *section) error {
	var b []byte
	for i := range f.blocks {
		k := &f.blocks[i]
		b = slices.Grow(b[:0], k.size)[:k.size]
		if n, err := s.r.ReadAt(b, k.offset); n < k.size {
			return noEOF(err)
		}
		if xxhash.Sum64(b) != k.sum {
			return errBlock
		}
	}
	return nil
}

// Check reads all counts, and the segment, whose file is data: the error says that the
// summary is damaged, or does not fit.
func (s *Summary) Check(data io.ReaderAt) error {
	for i := range s.fields {
		f := &s.fields[i]
		if err := checkRun(newBlockRun(s.r, f.blocks), f.total); err != nil {
			return err
		}
	}
	if !s.Old {
		if err := s.checkRows(); err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, io.NewSectionReader(s.Reader(data), 0, s.Bytes))
	return err
}

// checkRows reads what an old summary does not have.
func (s *Summary) checkRows() error {
	runs, _, err := s.Packets()
	if err != nil {
		return err
	}
	for i, total := range []uint64{s.fields[IPs].total + s.further.total, s.alone.total} {
		if err := checkRun(runs[i], total); err != nil {
			return err
		}
	}
	if err := s.checkSums(&s.places); err != nil {
		return err
	}
	return s.checkClients()
}

// checkRun reads counts: the texts rise, and the sum is right.
func checkRun(r Run, total uint64) error {
	var last []byte
	sum := uint64(0)
	for first := true; ; first = false {
		more, err := r.Next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if !first && r.Text() <= view(last) {
			return errBlock
		}
		last = append(last[:0], r.Text()...)
		sum += r.Count()
	}
	if sum != total {
		return errBlock
	}
	return nil
}

// Lacks reports whether it is certain that a text of a field does not occur.
func (s *Summary) Lacks(field Field, text string) bool {
	n, ok := s.Count(field, text)
	return ok && n == 0
}

// Count is how often a text of a field occurs; false: the counts are damaged.
func (s *Summary) Count(field Field, text string) (n uint64, ok bool) {
	c, ok := s.count(field, text)
	return c.n, ok
}

// counted is an answer to Count.
type counted struct {
	field Field
	text  string
	n     uint64
	// block has the count, and before it counts of at most mostAttempts whose sum is before.
	block  int
	before uint64
}

// count looks into the counts of a field, unless they were asked for the same last.
func (s *Summary) count(field Field, text string) (c counted, ok bool) {
	s.mu.Lock()
	c = s.last
	s.mu.Unlock()
	if c.n > 0 && c.field == field && c.text == text {
		return c, true
	}
	c = counted{field: field, text: text}
	blocks := s.fields[field].blocks
	i := after(blocks, text)
	if i == 0 {
		return c, true
	}
	c.block = i - 1
	r := newBlockRun(s.r, blocks[i-1:i])
	for {
		more, err := r.Next()
		switch {
		case err != nil:
			return c, false
		case !more || r.Text() > text:
			return c, true
		case r.Text() == text:
			c.n = r.Count()
			s.mu.Lock()
			s.last = c
			s.mu.Unlock()
			return c, true
		}
		if n := r.Count(); n <= mostAttempts {
			c.before += n
		}
	}
}
