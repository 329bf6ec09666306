package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/clickhouse"
	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Store is the [Engine] that asks a ClickHouse server, to which package shipping has
// sent events. It knows what was sealed and sent, and goes by the marks of each journal
// by itself: what would be one attempt because of another journal counts as it does
// there.
type Store struct {
	db     *clickhouse.DB
	places Places
}

// OpenStore returns an engine over a table of events.
func OpenStore(db *clickhouse.DB, places Places) *Store { return &Store{db, places} }

// errJournalsOnly is what a Store cannot tell.
var errJournalsOnly = errors.New("a ClickHouse server does not tell that; name the journal directories instead")

// Follow implements [Engine]; it always fails.
func (s *Store) Follow(context.Context, Query, int, func([]eventrow.Row) error) error {
	return errJournalsOnly
}

// Stats implements [Engine]; it always fails.
func (s *Store) Stats(context.Context) ([]JournalStats, error) { return nil, errJournalsOnly }

// Check implements [Engine]; it always fails.
func (s *Store) Check(context.Context) ([]JournalReport, error) { return nil, errJournalsOnly }

// refusePlaces refuses queries that select by places, which the server does not know.
func refusePlaces(q Query) error {
	if fields := q.needsPlaces(); len(fields) > 0 {
		return fmt.Errorf("a ClickHouse server cannot select by %s; name the journal directories instead", fields[0])
	}
	return nil
}

// from is the part of a statement that selects events.
func (s *Store) from(q Query) string { return " FROM " + s.db.Table + " WHERE " + where(q) }

// count is the expression of what is counted.
func count(q Query) string {
	if q.Source == FromDMARC {
		return "toUInt64(sum(if(messages > 0, messages, 0)))"
	}
	return "count()"
}

// Top implements [Engine].
func (s *Store) Top(ctx context.Context, q Query, by Field, n int) (*Ranking, error) {
	if err := refusePlaces(q); err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("ask for at least one value")
	}
	if _, err := ParseField(string(by)); err != nil {
		return nil, err
	}
	ranking := &Ranking{By: by, Counted: q.Counted()}
	if by == ByAS || by == ByCountry {
		return ranking, s.countPlaces(ctx, q, ranking, n)
	}
	key, err := keyExpression(by)
	if err != nil {
		return nil, err
	}
	counts := "(SELECT " + key + " AS k, " + count(q) + " AS n" + s.from(q) + " GROUP BY k)"
	err = s.db.Query(ctx, "SELECT sum(n), sumIf(n, k = ''), countIf(k != '') FROM "+counts, func(r *clickhouse.Reader) error {
		ranking.Total, ranking.Unknown, ranking.Distinct = r.Uint64(), r.Uint64(), r.Uint64()
		return nil
	})
	if err != nil {
		return ranking, err
	}
	return ranking, s.db.Query(ctx, fmt.Sprintf("SELECT k, n FROM %s WHERE k != '' ORDER BY n DESC, k LIMIT %d", counts, n), func(r *clickhouse.Reader) error {
		ranking.Ranks = append(ranking.Ranks, Rank{r.Text(), r.Uint64()})
		return nil
	})
}

// Newcomers implements [Engine]; it does not know places.
func (s *Store) Newcomers(ctx context.Context, q Query, by Field, n int) (*Ranking, error) {
	if err := refusePlaces(q); err != nil {
		return nil, err
	}
	switch {
	case n < 1:
		return nil, errors.New("ask for at least one value")
	case q.Since.IsZero():
		return nil, errors.New("ask for new values since a time")
	}
	key, err := keyExpression(by)
	if err != nil {
		return nil, err
	}
	since := fmt.Sprintf("ts >= %d", nanoseconds(q.Since))
	both := q
	both.Since = time.Time{}
	now := "countIf(" + since + ")"
	if q.Source == FromDMARC {
		now = "toUInt64(sum(if(" + since + " AND messages > 0, messages, 0)))"
	}
	counts := "(SELECT " + key + " AS k, " + now + " AS n, countIf(NOT " + since + ") AS before" + s.from(both) + " GROUP BY k)"
	const is = "k != '' AND n > 0 AND before = 0"
	ranking := &Ranking{By: by, Counted: q.Counted()}
	err = s.db.Query(ctx, "SELECT sum(n), sumIf(n, k = ''), countIf("+is+") FROM "+counts, func(r *clickhouse.Reader) error {
		ranking.Total, ranking.Unknown, ranking.Distinct = r.Uint64(), r.Uint64(), r.Uint64()
		return nil
	})
	if err != nil {
		return ranking, err
	}
	return ranking, s.db.Query(ctx, fmt.Sprintf("SELECT k, n FROM %s WHERE %s ORDER BY n DESC, k LIMIT %d", counts, is, n), func(r *clickhouse.Reader) error {
		ranking.Ranks = append(ranking.Ranks, Rank{r.Text(), r.Uint64()})
		return nil
	})
}

// Profiles implements [Engine].
func (s *Store) Profiles(ctx context.Context, q Query) ([]Profile, error) {
	if err := refusePlaces(q); err != nil {
		return nil, err
	}
	profiles, byText, err := newProfiles(q)
	if err != nil {
		return nil, err
	}
	ever := q
	ever.Since, ever.Until = time.Time{}, time.Time{}
	err = s.db.Query(ctx, "SELECT client_ip, min(ts), max(ts), "+count(q)+s.from(ever)+" GROUP BY client_ip", func(r *clickhouse.Reader) error {
		client := r.Text()
		first, last, total := r.Int64(), r.Int64(), r.Uint64()
		if p := byText[client]; p != nil {
			p.First, p.Last, p.Total = first, last, total
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var net []byte
	return profiles, s.db.Query(ctx, "SELECT client_ip, forged_domain, resolver, "+count(q)+s.from(q)+
		" GROUP BY client_ip, forged_domain, resolver", func(r *clickhouse.Reader) error {
		client, domain, resolver := r.Text(), r.Text(), r.Text()
		n := r.Uint64()
		if p := byText[client]; p != nil {
			p.Count += n
			note(p.Domains, domain, n)
			net = tally.AppendNet(net[:0], resolver)
			note(p.Receivers, string(net), n)
		}
		return nil
	})
}

// countPlaces counts addresses there and their places here.
func (s *Store) countPlaces(ctx context.Context, q Query, ranking *Ranking, n int) error {
	place, err := placeOf(s.places, ranking.By)
	if err != nil {
		return err
	}
	of := place()
	counts := make(map[string]uint64)
	err = s.db.Query(ctx, "SELECT client_ip, "+count(q)+s.from(q)+" GROUP BY client_ip", func(r *clickhouse.Reader) error {
		text, count := of(r.Text()), r.Uint64()
		if ranking.Total += count; text == "" {
			ranking.Unknown += count
		} else {
			counts[strings.Clone(text)] += count
		}
		return nil
	})
	greatest := tally.Ranks{Most: n}
	for text, count := range counts {
		greatest.Add(text, count)
	}
	ranking.Distinct = uint64(len(counts))
	ranking.set(&greatest)
	return err
}

// keyExpression is what a field, or two, are counted by.
func keyExpression(by Field) (string, error) {
	expressions := map[Field]string{
		ByIP: "client_ip", ByNet: "client_net", ByHELO: "helo", ByDomain: "forged_domain", ByResolver: "resolver",
		ByReporter: "reporter", ByDisposition: "disposition", ByCause: "cause",
		BySender: "if(sender_local = '', '', concat(sender_local, '@', sender_domain))",
	}
	var keys []string
	for _, part := range by.Parts() {
		e, ok := expressions[part]
		if !ok {
			return "", fmt.Errorf("a ClickHouse server cannot count by %s", by)
		}
		keys = append(keys, e)
	}
	if len(keys) == 1 {
		return keys[0], nil
	}
	a, b := keys[0], keys[1]
	return fmt.Sprintf(`if(%s = '' OR %s = '', '', concat(%s, '\t', %s))`, a, b, a, b), nil
}

// Timeline implements [Engine].
func (s *Store) Timeline(ctx context.Context, q Query, per Unit) (*Series, error) {
	if err := refusePlaces(q); err != nil {
		return nil, err
	}
	series := &Series{Per: per}
	unit := int64(per.duration())
	// intDiv cuts towards zero.
	start := fmt.Sprintf("intDiv(ts - if(ts < 0, %d, 0), %d) * %d", unit-1, unit, unit)
	sql := fmt.Sprintf("SELECT toInt64(%s) AS start, %s%s GROUP BY start ORDER BY start LIMIT %d", start, count(q), s.from(q), maxBuckets+1)
	err := s.db.Query(ctx, sql, func(r *clickhouse.Reader) error {
		b := Bucket{r.Int64(), r.Uint64()}
		series.Buckets = append(series.Buckets, b)
		series.Total += b.Count
		return nil
	})
	if err == nil && len(series.Buckets) > maxBuckets {
		err = errBuckets(per)
	}
	return series, err
}

// Events implements [Engine]. The servers stand for the directories.
func (s *Store) Events(ctx context.Context, q Query, limit int, yield func(*eventrow.Row) error) error {
	if err := refusePlaces(q); err != nil {
		return err
	}
	if limit > maxLimit {
		return errLimit
	}
	var servers []string
	err := s.db.Query(ctx, "SELECT DISTINCT server_id"+s.from(q)+" ORDER BY server_id", func(r *clickhouse.Reader) error {
		servers = append(servers, r.Text())
		return nil
	})
	if err != nil {
		return err
	}
	if limit > 0 {
		var all []eventrow.Row
		for _, server := range servers {
			var rows []eventrow.Row
			err := s.rows(ctx, q, server, fmt.Sprintf(" ORDER BY seq DESC LIMIT %d", limit), func(r *eventrow.Row) error {
				rows = append(rows, *r)
				return nil
			})
			if err != nil {
				return err
			}
			slices.Reverse(rows)
			all = merge(all, rows)
		}
		return each(all[max(len(all)-limit, 0):], yield)
	}
	sources := make([]source, len(servers))
	for i, server := range servers {
		src := &sources[i]
		next, stop := iter.Pull(func(yield func(*eventrow.Row) bool) {
			err := s.rows(ctx, q, server, " ORDER BY seq", func(r *eventrow.Row) error {
				if !yield(r) {
					return errStopped
				}
				return nil
			})
			if !errors.Is(err, errStopped) {
				src.err = err
			}
		})
		defer stop()
		src.next = next
	}
	return mergeSources(sources, func(_ int, r *eventrow.Row) error { return yield(r) })
}

// rows calls yield with the selected events of a server.
func (s *Store) rows(ctx context.Context, q Query, server, order string, yield func(*eventrow.Row) error) error {
	return s.read(ctx, eventrow.Columns, s.from(q)+" AND server_id = "+clickhouse.Quote(server)+order, yield)
}

// Scan implements [Engine].
func (s *Store) Scan(ctx context.Context, q Query, columns []*eventrow.Column, yield func(*eventrow.Row) error) error {
	if err := refusePlaces(q); err != nil {
		return err
	}
	return s.read(ctx, columns, s.from(q), yield)
}

// read calls yield with rows of which some columns are read.
func (s *Store) read(ctx context.Context, columns []*eventrow.Column, rest string, yield func(*eventrow.Row) error) error {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return s.db.Query(ctx, "SELECT "+strings.Join(names, ", ")+rest, func(r *clickhouse.Reader) error {
		var row eventrow.Row
		for _, c := range columns {
			switch c.Kind {
			case parquet.Boolean:
				c.Set(&row, parquet.BooleanValue(r.Bool()))
			case parquet.Int32:
				c.Set(&row, parquet.Int32Value(r.Int32()))
			case parquet.Int64:
				c.Set(&row, parquet.Int64Value(r.Int64()))
			default:
				c.Set(&row, parquet.ByteArrayValue([]byte(r.Text())))
			}
		}
		return yield(&row)
	})
}
