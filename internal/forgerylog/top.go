package forgerylog

import (
	"context"
	"errors"

	"nullspf/internal/tally"
)

// Ranking is the answer of [Engine.Top].
type Ranking struct {
	By Field
	// Ranks are the values with the greatest counts, those of equal count in
	// alphabetical order. Values are in the form of spftrack.Printable.
	Ranks []Rank
	// Total is the number of events counted, Unknown of those without value:
	// receivers that do not fetch exp= tell neither local part nor HELO.
	Total, Unknown uint64
	// Distinct is the number of different values.
	Distinct uint64
}

// Rank is a value and how often it occurs.
type Rank struct {
	Value string
	Count uint64
}

// Top implements [Engine].
func (f *Journals) Top(ctx context.Context, q Query, by Field, n int) (*Ranking, error) {
	if n < 1 {
		return nil, errors.New("ask for at least one value")
	}
	key, field, err := keyOf(by)
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
	ranking := &Ranking{By: by}
	greatest := tally.Ranks{Most: n}
	ranking.Total, ranking.Unknown, err = r.countKeys(newPlan(q), key, field, func(text string, count uint64) error {
		ranking.Distinct++
		greatest.Add(text, count)
		return nil
	})
	for _, k := range greatest.List() {
		ranking.Ranks = append(ranking.Ranks, Rank{k.Text, k.N})
	}
	return ranking, r.end(err)
}

// keyOf returns the key by which a field is counted, and the field of summaries.
func keyOf(f Field) (tally.Key, tally.Field, error) {
	switch f {
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
	}
	_, err := ParseField(string(f))
	return tally.Key{}, noField, err
}
