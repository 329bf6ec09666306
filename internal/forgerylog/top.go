package forgerylog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"unsafe"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Ranking is the answer of [Engine.Top].
type Ranking struct {
	By Field
	// Ranks are the values with the greatest counts, those of equal count in
	// alphabetical order.
	Ranks []Rank
	// Total is the number of events counted, Unknown of those without value, or
	// without one of two: receivers that do not fetch exp= tell neither local part
	// nor HELO.
	Total, Unknown uint64
	// Distinct is the number of different values.
	Distinct uint64
	// Having is the least count of a rank; 0 for none.
	Having uint64
	// Counted is what was counted, in the singular.
	Counted string
}

// AtLeast leaves out the ranks with a smaller count.
func (r *Ranking) AtLeast(count uint64) {
	r.Having = count
	r.Ranks = slices.DeleteFunc(r.Ranks, func(k Rank) bool { return k.Count < count })
}

// Rank is a value and how often it occurs.
type Rank struct {
	// Value is in the form of spftrack.Printable; of two fields, both values with
	// a tab between.
	Value string
	Count uint64
}

// Compare orders ranks, the greatest count first, those of equal count in alphabetical order.
func (k Rank) Compare(other Rank) int {
	return cmp.Or(cmp.Compare(other.Count, k.Count), cmp.Compare(k.Value, other.Value))
}

// Top implements [Engine].
func (f *Journals) Top(ctx context.Context, q Query, by Field, n int) (*Ranking, error) {
	q, err := f.placed(q)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("ask for at least one value")
	}
	key, field, err := f.keyOf(by)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	if err = r.join(q); err != nil {
		return nil, r.end(err)
	}
	ranking := &Ranking{By: by, Counted: q.Counted()}
	if by == ByAS || by == ByCountry {
		err = r.countPlaces(newPlan(q), f, ranking, n)
	} else {
		err = r.rank(newPlan(q), key, field, ranking, n)
	}
	return ranking, r.end(err)
}

// rank counts the selected events by a key and keeps the n greatest counts.
func (r *run) rank(p *plan, key tally.Key, field tally.Field, ranking *Ranking, n int) (err error) {
	kept := newRanks(n)
	ranking.Total, ranking.Unknown, err = r.countKeys(p, key, field, kept.add)
	kept.into(ranking)
	return err
}

// ranks keeps the greatest counts, which several goroutines tell it.
type ranks []rankPart

type rankPart struct {
	greatest tally.Ranks
	distinct uint64
}

func newRanks(n int) ranks {
	parts := make(ranks, workerCount())
	for i := range parts {
		parts[i].greatest.Most = n
	}
	return parts
}

// add takes a value and its count; each goroutine has a number of its own.
func (k ranks) add(worker int, text string, count uint64) error {
	k[worker].distinct++
	k[worker].greatest.Add(text, count)
	return nil
}

func (k ranks) into(ranking *Ranking) {
	greatest := tally.Ranks{Most: k[0].greatest.Most}
	for i := range k {
		ranking.Distinct += k[i].distinct
		for _, r := range k[i].greatest.List() {
			greatest.Add(r.Text, r.N)
		}
	}
	ranking.set(&greatest)
}

func (r *Ranking) set(greatest *tally.Ranks) {
	for _, k := range greatest.List() {
		r.Ranks = append(r.Ranks, Rank{k.Text, k.N})
	}
}

// keyOf returns the key by which a field, or two, are counted, and the field of
// summaries.
func (f *Journals) keyOf(by Field) (tally.Key, tally.Field, error) {
	if _, err := ParseField(string(by)); err != nil {
		return tally.Key{}, noField, err
	}
	parts := by.Parts()
	first, field, err := f.fieldOf(parts[0])
	if err != nil || len(parts) == 1 {
		return first, field, err
	}
	second, _, err := f.fieldOf(parts[1])
	return pairOf(first, second), noField, err
}

// pairOf is the key of two with a tab between; there is none without both.
func pairOf(first, second tally.Key) tally.Key {
	columns := slices.Clone(first.Columns)
	for _, c := range second.Columns {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return tally.Key{Columns: columns, Of: func() func(*eventrow.Row) string {
		a, b := first.Of(), second.Of()
		var buf []byte
		return func(r *eventrow.Row) string {
			left := a(r)
			if left == "" {
				return ""
			}
			buf = append(append(buf[:0], left...), '\t')
			right := b(r)
			if right == "" {
				return ""
			}
			buf = append(buf, right...)
			return unsafe.String(unsafe.SliceData(buf), len(buf))
		}
	}}
}

// fieldOf is keyOf for a single field.
func (f *Journals) fieldOf(field Field) (tally.Key, tally.Field, error) {
	switch field {
	case ByIP:
		return tally.ClientIP, tally.IPs, nil
	case ByNet:
		return tally.ClientNet, tally.Nets, nil
	case BySender:
		return tally.Sender, tally.Senders, nil
	case ByHELO:
		return tally.HELO, tally.HELOs, nil
	case ByDomain:
		return tally.Domain, tally.Domains, nil
	case ByResolver:
		return tally.Resolver, tally.Resolvers, nil
	case ByReporter:
		return tally.Reporter, noField, nil
	case ByDisposition:
		return tally.Disposition, noField, nil
	case ByCause:
		return tally.Cause, noField, nil
	case ByAS, ByCountry:
		place, err := placeOf(f.places, field)
		return tally.Key{Columns: tally.ClientIP.Columns, Of: func() func(*eventrow.Row) string {
			of := place()
			return func(r *eventrow.Row) string { return of(r.ClientIP) }
		}}, noField, err
	}
	panic("no field " + string(field))
}
