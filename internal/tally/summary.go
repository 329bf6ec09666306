package tally

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
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
	fields   [fields]section
	// places are where the attempts of clients are, clients the whole rows of the busiest ones;
	// total is their number.
	places, clients section
	// further are the counts of other events of clients than attempts, alone those of clients
	// without attempts.
	further, alone section
	// Old: it was written by an earlier version.
	Old bool
	// contents is where they are in the file, sumsAt and minutes where those are in contents.
	contents          piece
	sumsAt, minutesAt listed

	mu sync.Mutex
	// sums and verified are nil until they are needed; verified are the blocks of the segment that
	// were found good.
	sums     []uint64
	verified []bool
	// minutes are those of a summary that is being made.
	minutes []Minute
	// last is what was counted last: who asks for a client does so more than once.
	last counted
}

// Minute is how many attempts a minute has.
type Minute struct {
	// Start is minutes since 1970-01-01 UTC.
	Start int64
	N     uint64
}

// listed is a number of things one after the other in contents, from a place on.
type listed struct{ at, count int }

// section is the counts of a field.
type section struct {
	// total is the sum of all counts.
	total          uint64
	offset, length int64
	// blocks are nil until they are needed; see [Summary.blocksOf].
	blocks []block
	listed
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

// Run is the counts of a field, and total their sum. It fails when they are damaged.
func (s *Summary) Run(field Field) (run Run, total uint64, err error) {
	f := &s.fields[field]
	blocks, err := s.goodBlocks(f)
	if err != nil {
		return nil, 0, err
	}
	return newBlockRun(s.r, blocks), f.total, nil
}

// goodBlocks are the blocks of a section, whose sums it compares.
func (s *Summary) goodBlocks(f *section) ([]block, error) {
	blocks, err := s.blocksOf(f)
	if err != nil {
		return nil, err
	}
	var b []byte
	for i := range blocks {
		k := &blocks[i]
		b = slices.Grow(b[:0], k.size)[:k.size]
		if n, err := s.r.ReadAt(b, k.offset); n < k.size {
			return nil, noEOF(err)
		}
		if xxhash.Sum64(b) != k.sum {
			return nil, errBlock
		}
	}
	return blocks, nil
}

// Check reads all counts, and the segment, whose file is data: the error says that the
// summary is damaged, or does not fit.
func (s *Summary) Check(data io.ReaderAt) error {
	for i := range s.fields {
		run, total, err := s.Run(Field(i))
		if err != nil {
			return err
		}
		if err := checkRun(run, total); err != nil {
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
	if _, err := s.goodBlocks(&s.places); err != nil {
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

// lookups are runs whose memory is used again.
var lookups = sync.Pool{New: func() any { return new(blockRun) }}

// count looks into the counts of a field, unless they were asked for the same last.
func (s *Summary) count(field Field, text string) (c counted, ok bool) {
	s.mu.Lock()
	c = s.last
	s.mu.Unlock()
	if c.n > 0 && c.field == field && c.text == text {
		return c, true
	}
	c = counted{field: field, text: text}
	blocks, err := s.blocksOf(&s.fields[field])
	if err != nil {
		return c, false
	}
	i := after(blocks, text)
	if i == 0 {
		return c, true
	}
	c.block = i - 1
	r := lookups.Get().(*blockRun)
	defer lookups.Put(r)
	*r = blockRun{r: s.r, all: blocks[i-1 : i], blocks: blocks[i-1 : i], packed: r.packed, buf: r.buf, text: r.text[:0]}
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
