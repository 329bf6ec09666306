package forgerylog

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"unsafe"

	"nullspf/internal/eventrow"
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
	// Distinct is the number of different values, if Exact.
	Distinct uint64
	// Exact: there was room for all values; see [maxKeys]. If not, each true
	// count is between Count and Count+Missed, and values that occur more often
	// than Missed are all considered.
	Exact  bool
	Missed uint64
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
	set, key, err := keyOf(by)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	ranking := &Ranking{By: by}
	counter := newCounter(f.keys, f.keyBytes)
	if err = r.join(q); err != nil {
		return nil, r.end(err)
	}
	err = r.scan(newPlan(q), set, func(row *eventrow.Row) error {
		ranking.Total++
		if k := key(row); k != "" {
			counter.add(k)
		} else {
			ranking.Unknown++
		}
		return nil
	})
	ranking.Ranks = slices.Clone(counter.top(n))
	ranking.Exact, ranking.Missed = !counter.full, counter.missed
	if ranking.Exact {
		ranking.Distinct = uint64(len(counter.ranks))
	}
	return ranking, r.end(err)
}

const (
	netBits4 = 24
	netBits6 = 48
)

// keyOf returns the columns from which the value of a field is made, and the
// function that makes it. The value is valid until the next call.
func keyOf(f Field) (columns, func(*eventrow.Row) string, error) {
	var buf []byte
	switch f {
	case ByIP:
		return cols(eventrow.ClientIP), func(r *eventrow.Row) string { return r.ClientIP }, nil
	case ByNet:
		return cols(eventrow.ClientIP), func(r *eventrow.Row) string {
			buf = appendNet(buf[:0], r.ClientIP)
			return view(buf)
		}, nil
	case BySender:
		return senderColumns, func(r *eventrow.Row) string {
			if r.SenderLocal == "" {
				return ""
			}
			buf = append(append(append(buf[:0], r.SenderLocal...), '@'), r.SenderDomain...)
			return view(buf)
		}, nil
	case ByHELO:
		return cols(eventrow.HELO), func(r *eventrow.Row) string { return r.HELO }, nil
	case ByDomain:
		return cols(eventrow.ForgedDomain), func(r *eventrow.Row) string { return r.ForgedDomain }, nil
	case ByResolver:
		return cols(eventrow.Resolver), func(r *eventrow.Row) string { return r.Resolver }, nil
	}
	_, err := ParseField(string(f))
	return 0, nil, err
}

// appendNet appends the network of an address, or nothing if it is none.
func appendNet(buf []byte, ip string) []byte {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return buf
	}
	bits := netBits4
	if addr.Is6() {
		bits = netBits6
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return buf
	}
	return prefix.AppendTo(buf)
}

// view is a text in the memory of a buffer.
func view(buf []byte) string { return unsafe.String(unsafe.SliceData(buf), len(buf)) }
