package blocklist

import (
	"encoding/binary"
	"slices"
	"sort"
	"time"
)

// Index finds addresses of a list. It never changes, and finds without allocating.
//
// The addresses of each family are in order, beside each the end of its text; the text
// of an entry begins where that before it ends.
type Index struct {
	// Serial is the time of the list, in seconds since 1970 modulo 2³².
	Serial uint32
	// Expires is when the first entry does; zero for never.
	Expires time.Time
	four    []uint32
	six     []uint64
	ends    []uint32 // of four, then of six
	texts   []byte
}

// NewIndex makes an index of the entries that are valid at a time.
func NewIndex(l *List, now time.Time) *Index {
	x := &Index{Serial: uint32(l.At.Unix())}
	for i := range l.Entries {
		e := &l.Entries[i]
		if !e.Expires.After(now) {
			continue
		}
		if x.Expires.IsZero() || e.Expires.Before(x.Expires) {
			x.Expires = e.Expires
		}
		if a := e.Prefix.Addr(); a.Is4() {
			b := a.As4()
			x.four = append(x.four, binary.BigEndian.Uint32(b[:]))
		} else {
			b := a.As16()
			x.six = append(x.six, binary.BigEndian.Uint64(b[:8]))
		}
		x.texts = append(x.texts, e.Reason()...)
		x.ends = append(x.ends, uint32(len(x.texts)))
	}
	return x
}

// Len is the number of entries.
func (x *Index) Len() int { return len(x.ends) }

// text returns that of an entry.
func (x *Index) text(i int) []byte {
	begin := uint32(0)
	if i > 0 {
		begin = x.ends[i-1]
	}
	return x.texts[begin:x.ends[i]]
}

// Four looks for addresses from first to last: it returns the text of the first entry
// among them; nil when there is none.
func (x *Index) Four(first, last uint32) []byte {
	i := sort.Search(len(x.four), func(i int) bool { return x.four[i] >= first })
	if i == len(x.four) || x.four[i] > last {
		return nil
	}
	return x.text(i)
}

// Six is Four for the upper halves of IPv6 addresses.
func (x *Index) Six(first, last uint64) []byte {
	i, _ := slices.BinarySearch(x.six, first)
	if i == len(x.six) || x.six[i] > last {
		return nil
	}
	return x.text(len(x.four) + i)
}
