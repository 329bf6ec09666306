package forgerylog

import (
	"fmt"
	"strings"
	"time"

	"nullspf/internal/value"
)

// ParseTime reads a point in time: RFC 3339, a date (its beginning in UTC), or
// how long before now it lies, with units: 2w, 7d, 1d12h, 24h, 90m.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	// A number alone would be seconds; 2026 is more likely meant as a year.
	if strings.Trim(s, "0123456789") != "" {
		if age, err := value.ParseDuration(s); err == nil {
			return now.Add(-age), nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time: %q; write 2026-11-20, 2026-11-20T15:04:05Z, or 7d or 24h for so long ago", s)
}
