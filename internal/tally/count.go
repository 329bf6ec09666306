package tally

import (
	"net/netip"
	"sort"

	"nullspf/internal/eventrow"
)

// Key is a text that is counted, which is made of some columns.
type Key struct {
	Columns []*eventrow.Column
	// Of returns a function that makes the text of a row, "" for none; a text is
	// valid until the function is called again.
	Of func() func(*eventrow.Row) string
}

func plainKey(c *eventrow.Column, of func(*eventrow.Row) string) Key {
	return Key{[]*eventrow.Column{c}, func() func(*eventrow.Row) string { return of }}
}

// The keys that summaries have, and those of imported events.
var (
	Reporter    = plainKey(eventrow.Reporter, func(r *eventrow.Row) string { return r.Reporter })
	Disposition = plainKey(eventrow.Disposition, func(r *eventrow.Row) string { return r.Disposition })
	Cause       = plainKey(eventrow.Cause, func(r *eventrow.Row) string { return r.Cause })

	ClientIP = plainKey(eventrow.ClientIP, func(r *eventrow.Row) string { return r.ClientIP })
	HELO     = plainKey(eventrow.HELO, func(r *eventrow.Row) string { return r.HELO })
	Domain   = plainKey(eventrow.ForgedDomain, func(r *eventrow.Row) string { return r.ForgedDomain })
	Resolver = plainKey(eventrow.Resolver, func(r *eventrow.Row) string { return r.Resolver })
	// ClientNet is the network of the client: 24 bits of an IPv4 address, 48 of
	// an IPv6 address.
	ClientNet = Key{[]*eventrow.Column{eventrow.ClientIP}, func() func(*eventrow.Row) string {
		var buf []byte
		return func(r *eventrow.Row) string {
			buf = AppendNet(buf[:0], r.ClientIP)
			return view(buf)
		}
	}}
	// Sender is local@domain, where the local part is known.
	Sender = Key{[]*eventrow.Column{eventrow.SenderLocal, eventrow.SenderDomain}, func() func(*eventrow.Row) string {
		var buf []byte
		return func(r *eventrow.Row) string {
			if r.SenderLocal == "" {
				return ""
			}
			buf = append(append(append(buf[:0], r.SenderLocal...), '@'), r.SenderDomain...)
			return view(buf)
		}
	}}
)

const (
	netBits4 = 24
	netBits6 = 48
)

// NetBits is how many bits of an address make its network.
func NetBits(a netip.Addr) int {
	if a.Is6() {
		return netBits6
	}
	return netBits4
}

// AppendNet appends the network of an address, or nothing if it is none.
func AppendNet(buf []byte, ip string) []byte {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		if p, err := netip.ParsePrefix(ip); err == nil && p.Bits() == NetBits(p.Addr()) {
			return append(buf, ip...) // that of an event without address
		}
		return buf
	}
	prefix, err := addr.Prefix(NetBits(addr))
	if err != nil {
		return buf
	}
	return prefix.AppendTo(buf)
}

// Count calls add with the keys of some rows of a group, in order, and how often each row
// counts: weight, which needs its columns too, or once when that is nil. Of one column with
// a dictionary, each value is looked at once and not each row. Rows without a key
// are counted as "".
func Count(columns []*Column, rows []int32, key func(*eventrow.Row) string, weight func(*eventrow.Row) uint64, add func(text string, n uint64) error) error {
	switch {
	case weight == nil && len(columns) == 1:
		return countOne(columns[0], rows, key, add)
	case weight == nil:
		weight = func(*eventrow.Row) uint64 { return 1 }
	}
	var row eventrow.Row
	for len(rows) > 0 {
		// The rows that are in the present page of each column.
		end := int64(rows[0]) + 1<<30
		for _, c := range columns {
			next, err := c.Load(int64(rows[0]))
			if err != nil {
				return err
			}
			end = min(end, next)
		}
		for len(rows) > 0 && int64(rows[0]) < end {
			for _, c := range columns {
				c.Set(&row, int64(rows[0]))
			}
			if err := add(key(&row), weight(&row)); err != nil {
				return err
			}
			rows = rows[1:]
		}
	}
	return nil
}

// Before is how many of some rows, in order, are before an end.
func Before(rows []int32, end int64) int {
	return sort.Search(len(rows), func(i int) bool { return int64(rows[i]) >= end })
}

func countOne(c *Column, rows []int32, key func(*eventrow.Row) string, add func(text string, n uint64) error) error {
	var row eventrow.Row
	var counts []uint32
	for len(rows) > 0 {
		end, err := c.Load(int64(rows[0]))
		if err != nil {
			return err
		}
		n := Before(rows, end)
		if c.Codes == nil {
			for _, r := range rows[:n] {
				c.Set(&row, int64(r))
				if err := add(key(&row), 1); err != nil {
					return err
				}
			}
		} else if counts == nil && len(rows) < c.Values()/4 {
			// Few rows: most values do not occur.
			for _, r := range rows[:n] {
				c.Set(&row, int64(r))
				if err := add(key(&row), 1); err != nil {
					return err
				}
			}
		} else {
			if counts == nil {
				counts = make([]uint32, c.Values())
			}
			for _, r := range rows[:n] {
				counts[c.Codes[int64(r)-c.First]]++
			}
		}
		rows = rows[n:]
	}
	for code, n := range counts {
		if n > 0 {
			c.SetValue(&row, int32(code))
			if err := add(key(&row), uint64(n)); err != nil {
				return err
			}
		}
	}
	return nil
}
