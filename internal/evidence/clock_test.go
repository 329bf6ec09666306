package evidence

import (
	"testing"
	"time"
)

// TestClock: the rules for local times that are not the whole truth.
func TestClock(t *testing.T) {
	zone := berlin(t)
	type local struct {
		month                time.Month
		day, hour, minute, s int
		utc                  string
	}
	for _, c := range []struct {
		what    string
		changed string
		year    int // 0: syslog
		odd     int
		times   []local
	}{
		{"summer time ends", "2026-12-01T00:00:00Z", 2026, 0, []local{
			{10, 25, 1, 59, 59, "2026-10-24T23:59:59Z"},
			{10, 25, 2, 0, 0, "2026-10-25T00:00:00Z"},
			{10, 25, 2, 59, 59, "2026-10-25T00:59:59Z"},
			{10, 25, 2, 59, 58, "2026-10-25T00:59:58Z"}, // lines of several threads
			{10, 25, 2, 0, 0, "2026-10-25T01:00:00Z"},
			{10, 25, 2, 30, 0, "2026-10-25T01:30:00Z"},
			{10, 25, 3, 0, 0, "2026-10-25T02:00:00Z"},
		}},
		{"summer time begins", "2026-12-01T00:00:00Z", 2026, 1, []local{
			{3, 29, 1, 59, 59, "2026-03-29T00:59:59Z"},
			{3, 29, 2, 30, 0, "2026-03-29T01:30:00Z"}, // does not exist
			{3, 29, 3, 0, 0, "2026-03-29T01:00:00Z"},
		}},
		{"a year begins", "2027-01-02T00:00:00Z", 0, 0, []local{
			{12, 31, 23, 59, 59, "2026-12-31T22:59:59Z"},
			{1, 1, 0, 0, 0, "2026-12-31T23:00:00Z"},
			{1, 1, 1, 0, 0, "2027-01-01T00:00:00Z"},
		}},
		{"changed in the year after", "2027-02-03T00:00:00Z", 0, 0, []local{
			{2, 3, 1, 0, 30, "2027-02-03T00:00:30Z"}, // the clock of the disk is behind
			{2, 3, 1, 2, 0, "2027-02-03T00:02:00Z"},
		}},
		{"of the year before", "2027-02-03T00:00:00Z", 0, 0, []local{
			{2, 4, 1, 0, 0, "2026-02-04T00:00:00Z"},
		}},
		{"a leap day", "2027-02-03T00:00:00Z", 0, 0, []local{
			{2, 29, 1, 0, 0, "2024-02-29T00:00:00Z"},
		}},
	} {
		changed, err := time.Parse(time.RFC3339, c.changed)
		if err != nil {
			t.Fatal(err)
		}
		k := &clock{zone: zone, changed: changed}
		for _, l := range c.times {
			var at int64
			if c.year == 0 {
				at = k.withoutYear(l.month, l.day, l.hour, l.minute, l.s)
			} else {
				at = k.local(c.year, l.month, l.day, l.hour, l.minute, l.s, 0)
			}
			if got := time.Unix(0, at).UTC().Format(time.RFC3339); got != l.utc {
				t.Errorf("%s: %d-%d %d:%d:%d is %s, want %s", c.what, l.month, l.day, l.hour, l.minute, l.s, got, l.utc)
			}
		}
		if k.odd != c.odd {
			t.Errorf("%s: %d odd times, want %d", c.what, k.odd, c.odd)
		}
	}
}
