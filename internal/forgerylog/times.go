package forgerylog

import (
	"fmt"
	"strings"
	"time"

	"nullspf/internal/value"
)

// ParseTime reads a point in time, in the time zone of now unless it says another:
//
//	2026-11-20T15:04:05Z   RFC 3339, with an offset, or without
//	2026-11-20 15:04       to the second or minute
//	2026-11-20             the beginning of a day
//	today, yesterday       likewise
//	monday, Mon            the latest Monday, which today may be
//	15:04                  today
//	2w, 7d, 1d12h, 90m     so long before now
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{
		"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	year, month, day := now.Date()
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Date(year, month, day, t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
		}
	}
	if ago, ok := daysAgo(strings.ToLower(s), now.Weekday()); ok {
		return time.Date(year, month, day-ago, 0, 0, 0, 0, now.Location()), nil
	}
	// A number alone would be seconds; 2026 is more likely meant as a year.
	if strings.Trim(s, "0123456789") != "" {
		if age, err := value.ParseDuration(s); err == nil {
			return now.Add(-age), nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time: %q; write today, yesterday, monday, 2026-11-20, 2026-11-20T15:04:05Z, or 7d or 24h for so long ago", s)
}

// daysAgo is how many days before today a day lies that is called by its name.
func daysAgo(name string, today time.Weekday) (int, bool) {
	switch name {
	case "today":
		return 0, true
	case "yesterday":
		return 1, true
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		full := strings.ToLower(day.String())
		if name == full || name == full[:3] {
			return (int(today) - int(day) + 7) % 7, true
		}
	}
	return 0, false
}
