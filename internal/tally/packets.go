package tally

import (
	"encoding/binary"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/parquet-go/parquet-go"
)

// A summary also counts all events of each client, attempts or not. To each block of counts of
// clients belongs one of further counts, each block compressed by itself: for each client in order
// the number of its other events. Clients without attempts have counts of their own.

// maxFurther bounds a block of further counts without compression: no text takes less than three
// bytes in a block of counts.
const maxFurther = maxBlock / 3 * binary.MaxVarintLen64

// furtherWriter writes further counts.
type furtherWriter struct {
	w   io.Writer
	out *section
	raw []byte
}

func (f *furtherWriter) flush() error {
	e, err := encoder()
	if err != nil {
		return err
	}
	packed := e.EncodeAll(f.raw, nil)
	if _, err := f.w.Write(packed); err != nil {
		return err
	}
	s := f.out
	s.blocks = append(s.blocks, block{s.offset + s.length, len(packed), len(f.raw), xxhash.Sum64(packed), ""})
	s.length += int64(len(packed))
	f.raw = f.raw[:0]
	return nil
}

// writePackets writes the further counts of clients, whose attempts are counted in runs, and those of
// clients without attempts.
func (s *Summary) writePackets(w io.Writer, f *parquet.File, attempts [][]int32, runs []Run, offset int64) error {
	rest := NewCounter(buildBudget)
	defer rest.Close()
	for i, g := range f.RowGroups() {
		err := countGroup(f, g, ClientIP.Columns, others(attempts[i], int32(g.NumRows())), ClientIP.Of(), func(text string, n uint64) error {
			if text == "" {
				return nil
			}
			return rest.Add(text, n)
		})
		if err != nil {
			return err
		}
	}
	// Those of clients without attempts, which are few, wait.
	alone := NewCounter(buildBudget)
	defer alone.Close()
	s.further.offset = offset
	further := &furtherWriter{w: w, out: &s.further}
	blocks := s.fields[IPs].blocks
	var all []Run
	for _, r := range again(runs) {
		all = append(all, Marked(r))
	}
	err := Merge(append(all, rest.Runs()...), func(text string, n uint64) error {
		if n < Mark {
			s.alone.total += n
			return alone.Add(text, n)
		}
		if k := len(s.further.blocks) + 1; k < len(blocks) && blocks[k].first <= text {
			if err := further.flush(); err != nil {
				return err
			}
		}
		further.raw = binary.AppendUvarint(further.raw, n%Mark)
		s.further.total += n % Mark
		return nil
	})
	if err == nil && len(blocks) > 0 {
		err = further.flush()
	}
	if err != nil {
		return err
	}
	s.alone.offset = offset + s.further.length
	return s.alone.write(w, alone.Runs())
}

// others are the rows below n that are not among some in order.
func others(rows []int32, n int32) (list []int32) {
	for row := range n {
		if len(rows) > 0 && rows[0] == row {
			rows = rows[1:]
			continue
		}
		list = append(list, row)
	}
	return list
}

// Packets is the counts of all events by client, and total their sum. It fails when they are
// damaged, or the summary of an earlier version.
func (s *Summary) Packets() (runs []Run, total uint64, err error) {
	ips := &s.fields[IPs]
	if s.Old || s.further.count != ips.count {
		return nil, 0, errSummary
	}
	var blocks [3][]block
	for i, f := range []*section{ips, &s.further, &s.alone} {
		if blocks[i], err = s.goodBlocks(f); err != nil {
			return nil, 0, err
		}
	}
	// That of clients with attempts comes first.
	run := newBlockRun(s.r, blocks[0])
	run.further = blocks[1]
	return []Run{run, newBlockRun(s.r, blocks[2])}, ips.total + s.further.total + s.alone.total, nil
}
