package forgerylog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseTime reads a point in time: RFC 3339, a date (its beginning in UTC), or
// how long before now it lies, in weeks, days and the units of
// time.ParseDuration: 2w, 7d, 1d12h, 24h, 90m.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	if d, ok := parseAge(s); ok {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-11-20, 2026-11-20T15:04:05Z, or 7d or 24h for so long ago", s)
}

// maxAge bounds what is taken for an age, so that it does not overflow.
const maxAge = 100 * 365 * 24 * time.Hour

func parseAge(s string) (age time.Duration, ok bool) {
	const day = 24 * time.Hour
	rest := s
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || time.Duration(n) > maxAge/unit.length {
			return 0, false
		}
		age += time.Duration(n) * unit.length
		rest = after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || d > maxAge {
			return 0, false
		}
		age += d
	}
	return age, s != "" && age <= maxAge
}
