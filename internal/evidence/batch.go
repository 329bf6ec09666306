package evidence

// batch are records that were read.
type batch struct {
	records []record
	// names are those of its questions, which stay valid.
	names []byte
	// err is why reading has ended behind them.
	err error
}

type record struct {
	what outcome
	q    question
}

const (
	batchRecords = 512
	// batchesAhead is how many batches are read ahead.
	batchesAhead = 8
)

// eachRecord reads the records of a source, behind the first old bytes of its content, and calls
// yield with each and its number: they are read ahead in a goroutine of their own, because
// decompressing and parsing take as long as what yield does. ended is told why reading ended. The
// error is that of yield. When it returns, nothing reads any more.
func eachRecord(s source, in *reader, old int64, yield func(n int, what outcome, q *question) error, ended func(error)) error {
	batches, stop := make(chan *batch, batchesAhead), make(chan struct{})
	go func() {
		defer close(batches)
		for {
			b := readBatch(s, in, old)
			select {
			case batches <- b:
			case <-stop:
				return
			}
			if b.err != nil {
				return
			}
		}
	}()
	defer func() {
		close(stop)
		for range batches { // until the reader has ended
		}
	}()
	n := 0
	for b := range batches {
		for i := range b.records {
			n++
			if err := yield(n, b.records[i].what, &b.records[i].q); err != nil {
				return err
			}
		}
		if b.err != nil {
			ended(b.err)
		}
	}
	return nil
}

func readBatch(s source, in *reader, old int64) *batch {
	b := &batch{records: make([]record, 0, batchRecords), names: make([]byte, 0, 64*batchRecords)}
	for len(b.records) < batchRecords {
		var r record
		if r.what, b.err = s.next(&r.q); b.err != nil {
			break
		}
		if in.size <= old && old > 0 {
			continue
		}
		at := len(b.names)
		b.names = append(b.names, r.q.name...)
		r.q.name = b.names[at:len(b.names):len(b.names)]
		b.records = append(b.records, r)
	}
	return b
}
