// Package shipping copies the sealed events of journals into ClickHouse, each once.
//
// A segment becomes one part of the table, or one a month:
//
//	segment -> staging_<server>_<random> -> count, sums -> ATTACH PARTITION ... FROM -> events
//
// The table itself says what is there: nothing is remembered elsewhere. Before a
// segment is sent, all staging tables of the server are dropped, so that no request of
// an earlier try, however late it comes, can attach one; what the table then has of the
// segment is final, and only what is missing is sent. ATTACH PARTITION is atomic: of a
// try that breaks off anywhere, either all rows are in the table or none.
package shipping

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nullspf/internal/clickhouse"
	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// Options are settings that have a default.
type Options struct {
	// Since leaves out segments without an event since then; the zero Time none.
	Since time.Time
	// Progress, if not nil, is called with the events that are done and all of them.
	Progress func(done, total uint64)
	// Wait is called before a try that failed is made again.
	Wait func(ctx context.Context, try int, err error) error
}

// Result is what was done.
type Result struct {
	// Sent counts events that were sent now, There those that were there before.
	Sent, There uint64
	// Segments counts those of which something was sent.
	Segments int
	// Unreadable are the segments that could not be read, and so were left out.
	Unreadable []error
}

// tries is how often a segment is tried.
const tries = 7

// Ship sends what the table of events lacks of the segments of a journal.
func Ship(ctx context.Context, db *clickhouse.DB, dir string, o Options) (r Result, err error) {
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	sum := sha256.Sum256([]byte(v.Manifest.Server))
	s := &shipper{ctx: ctx, db: db, server: spftrack.Printable(v.Manifest.Server), prefix: "staging_" + hex.EncodeToString(sum[:8]) + "_", encoder: newEncoder()}
	if o.Wait == nil {
		o.Wait = wait
	}
	var segments []*journal.SegmentFile
	total, done := uint64(0), uint64(0)
	for _, file := range v.Segments() {
		if o.Since.IsZero() || file.MaxTime >= o.Since.UnixNano() {
			segments = append(segments, file)
			total += file.Rows
		}
	}
	for _, file := range segments {
		sent, err := s.segment(file, o.Wait)
		var unread *readError
		switch {
		case errors.As(err, &unread):
			r.Unreadable = append(r.Unreadable, unread.err)
		case err != nil:
			return r, fmt.Errorf("%s: %w", file.FilePath(), err)
		default:
			r.Sent += sent
			r.There += file.Rows - sent
		}
		if sent > 0 {
			r.Segments++
		}
		if done += file.Rows; o.Progress != nil {
			o.Progress(done, total)
		}
	}
	return r, nil
}

// wait waits a second before the second try, then twice as long each time.
func wait(ctx context.Context, try int, _ error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second << (try - 1)):
		return nil
	}
}

// shipper sends the segments of a journal.
type shipper struct {
	ctx    context.Context
	db     *clickhouse.DB
	server string
	prefix string // of its staging tables
	// clean: no staging table is left, and the version of the server is known.
	clean   bool
	drop    string // the words after DROP TABLE IF EXISTS NAME
	encoder *encoder
}

// segment sends what the table lacks of a segment, and returns how many rows these
// are.
func (s *shipper) segment(file *journal.SegmentFile, wait func(context.Context, int, error) error) (sent uint64, err error) {
	for try := 1; ; try++ {
		n, err := s.attempt(file)
		sent += n
		if err == nil || try == tries || !passing(err) || s.ctx.Err() != nil {
			return sent, err
		}
		s.clean = false
		if e := wait(s.ctx, try, err); e != nil {
			return sent, errors.Join(e, err)
		}
	}
}

// passing reports whether it may help to try again.
func passing(err error) bool {
	var said *clickhouse.Error
	if errors.As(err, new(*readError)) || errors.As(err, new(*contradiction)) {
		return false
	}
	if !errors.As(err, &said) {
		return true
	}
	// Without a code, it comes from something before the server. A staging table
	// that is gone was dropped by another run.
	return said.Code == 0 || slices.Contains(passingCodes, said.Code) ||
		said.Code == clickhouse.UnknownTable && strings.Contains(said.Text, "staging_")
}

// passingCodes are errors of a server under load, or that is stopped: timeout, too many
// queries, network, aborted, memory, too many parts, cancelled.
var passingCodes = []int{159, 202, 209, 210, 236, 241, 252, 394}

// attempt tries to send a segment.
func (s *shipper) attempt(file *journal.SegmentFile) (sent uint64, err error) {
	if err := s.cleanUp(); err != nil {
		return 0, err
	}
	is, err := s.whole(file)
	if is || err != nil {
		return 0, err
	}
	parts, err := survey(file)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		n, err := s.part(file, p)
		if sent += n; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// cleanUp drops all staging tables, and with them whatever requests of earlier tries
// may still do.
func (s *shipper) cleanUp() error {
	if s.clean {
		return nil
	}
	if s.drop == "" {
		major := int64(0)
		err := s.db.Query(s.ctx, "SELECT toInt64OrZero(splitByChar('.', version())[1])", func(r *clickhouse.Reader) error {
			major = r.Int64()
			return nil
		})
		if err != nil {
			return err
		}
		// Later versions drop in the background unless they are asked to wait for
		// who uses the table.
		s.drop = " "
		if major >= 21 {
			s.drop = " SYNC"
		}
	}
	var tables []string
	err := s.db.Query(s.ctx, "SELECT name FROM system.tables WHERE database = "+clickhouse.Quote(s.db.Name)+
		" AND substring(name, 1, "+fmt.Sprint(len(s.prefix))+") = "+clickhouse.Quote(s.prefix), func(r *clickhouse.Reader) error {
		tables = append(tables, r.Text())
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := s.db.Exec(s.ctx, "DROP TABLE IF EXISTS `"+t+"`"+s.drop); err != nil {
			return err
		}
	}
	s.clean = true
	return nil
}

// state is what the table has of something.
type state struct {
	rows       uint64
	first, sum int64 // the least time, and the sum of times modulo modulus
	last       int64 // the greatest time, or number
}

// modulus keeps sums of times small.
const modulus = 1_000_000_007

func (s *shipper) state(table, last, where string) (st state, err error) {
	err = s.db.Query(s.ctx, "SELECT count(), min(ts), max("+last+"), sum(ts % "+fmt.Sprint(modulus)+") FROM "+table+" WHERE "+where,
		func(r *clickhouse.Reader) error {
			st.rows, st.first, st.last, st.sum = r.Uint64(), r.Int64(), r.Int64(), r.Int64()
			return nil
		})
	var said *clickhouse.Error
	if errors.As(err, &said) && (said.Code == clickhouse.UnknownDatabase || said.Code == clickhouse.UnknownTable) && table == s.db.Table {
		err = fmt.Errorf("%w; make the table with the statements of examples/clickhouse/events.sql", err)
	}
	return st, err
}

// within selects the events of a server by number and by day, which is what the table
// is ordered by.
func within(server string, firstSeq, lastSeq uint64, firstTime, lastTime int64) string {
	return fmt.Sprintf("date BETWEEN toDate(%d) AND toDate(%d) AND server_id = %s AND seq BETWEEN %d AND %d",
		dayOf(firstTime), dayOf(lastTime), clickhouse.Quote(server), firstSeq, lastSeq)
}

// whole reports whether the table has all events of a segment, as far as MANIFEST
// tells.
func (s *shipper) whole(file *journal.SegmentFile) (bool, error) {
	st, err := s.state(s.db.Table, "ts", within(s.server, file.First, file.Last, file.MinTime, file.MaxTime))
	return st.rows == file.Rows && st.first == file.MinTime && st.last == file.MaxTime, err
}

// part is the events of a segment that are in one partition.
type part struct {
	server      string
	month       int
	rows        uint64
	sum         int64  // of times modulo modulus
	first, last uint64 // numbers
	from, to    int64  // times
}

// survey finds the parts of a segment.
func survey(file *journal.SegmentFile) (parts []*part, err error) {
	err = file.EachBatch(func(rows []eventrow.Row) error {
		var p *part
		for i := range rows {
			r := &rows[i]
			if m := monthOf(r.TS); p == nil || p.server != r.ServerID || p.month != m {
				k := slices.IndexFunc(parts, func(p *part) bool { return p.server == r.ServerID && p.month == m })
				if k < 0 {
					k = len(parts)
					parts = append(parts, &part{server: strings.Clone(r.ServerID), month: m, first: uint64(r.Seq), from: r.TS, to: r.TS})
				}
				p = parts[k]
			}
			p.rows++
			p.sum += r.TS % modulus
			p.last = uint64(r.Seq)
			p.from, p.to = min(p.from, r.TS), max(p.to, r.TS)
		}
		return nil
	})
	if err != nil {
		return nil, &readError{err}
	}
	return parts, nil
}

// part sends what the table lacks of a part.
func (s *shipper) part(file *journal.SegmentFile, p *part) (sent uint64, err error) {
	where := within(p.server, p.first, p.last, p.from, p.to) + fmt.Sprintf(" AND toYYYYMM(date) = %d", p.month)
	there, err := s.state(s.db.Table, "seq", where)
	if err != nil || there.rows == p.rows && there.sum == p.sum {
		return 0, err
	}
	// The events that are there are the first ones: segments that were sent, and were
	// joined with others since.
	staging := s.prefix + strings.ToLower(rand.Text()[:16])
	s.clean = false
	if err := s.db.Exec(s.ctx, "CREATE TABLE "+staging+" AS "+s.db.Table); err != nil {
		return 0, err
	}
	var before, after state
	err = s.db.Insert(s.ctx, "INSERT INTO "+staging+" ("+columns()+") FORMAT RowBinary", func(w *clickhouse.Writer) error {
		err := file.EachBatch(func(rows []eventrow.Row) error {
			for i := range rows {
				r := &rows[i]
				switch {
				case r.ServerID != p.server || monthOf(r.TS) != p.month:
				case there.rows > 0 && r.Seq <= there.last:
					before.rows++
					before.sum += r.TS % modulus
				default:
					after.rows++
					after.sum += r.TS % modulus
					s.encoder.write(w, r)
				}
			}
			return w.Err()
		})
		if err != nil && w.Err() == nil {
			return &readError{err}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if before.rows != there.rows || before.sum != there.sum {
		return 0, &contradiction{fmt.Sprintf("the table %s has other events of the server %s, numbers %d to %d, than the journal: "+
			"do two servers have that name? Or has the table lost events, which --since can leave out?", s.db.Table, p.server, p.first, p.last)}
	}
	got, err := s.state(staging, "seq", "1")
	if err != nil {
		return 0, err
	}
	if got.rows != after.rows || got.sum != after.sum {
		return 0, fmt.Errorf("of %d events, %d have arrived", after.rows, got.rows)
	}
	if err := s.db.Exec(s.ctx, fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %d FROM %s", s.db.Table, p.month, staging)); err != nil {
		return 0, err
	}
	// If it stays, the next run drops it.
	if s.db.Exec(s.ctx, "DROP TABLE IF EXISTS "+staging+s.drop) == nil {
		s.clean = true
	}
	return after.rows, nil
}

// readError is about a segment that cannot be read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// contradiction: the table has what is not in the journal.
type contradiction struct{ text string }

func (e *contradiction) Error() string { return e.text }
