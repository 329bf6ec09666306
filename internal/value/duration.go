package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MaxDuration is the longest duration, and the greatest TTL (RFC 2181 section
// 8): 2³¹-1 seconds, about 68 years.
const MaxDuration = math.MaxInt32 * time.Second

var durationUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// FormatDuration writes whole seconds in their largest whole unit, up to days.
func FormatDuration(d time.Duration) string {
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d >= u.unit && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + "s"
}

// ParseDuration reads numbers with units, added up, in upper or lower case, or
// a number of seconds: what BIND takes for a TTL. The result has whole seconds
// and is at most [MaxDuration].
func ParseDuration(text string) (time.Duration, error) {
	rest := strings.ToLower(text)
	if text != "" && strings.Trim(text, "0123456789") == "" {
		rest += "s"
	}
	var sum time.Duration
	for ok := true; ok; ok = rest != "" {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		if digits == 0 || digits == len(rest) || durationUnits[rest[digits]] == 0 {
			return 0, fmt.Errorf("not a duration: %q; write 90s, 15m, 2h, 7d", text)
		}
		unit := durationUnits[rest[digits]]
		n, err := strconv.ParseUint(rest[:digits], 10, 31)
		if err != nil || time.Duration(n) > (MaxDuration-sum)/unit {
			return 0, fmt.Errorf("too long a duration: %q; at most %d seconds", text, MaxDuration/time.Second)
		}
		sum += time.Duration(n) * unit
		rest = rest[digits+1:]
	}
	return sum, nil
}
