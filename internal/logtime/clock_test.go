package logtime

import (
	"testing"
	"time"
)

// TestClock: the rules for local times that are not the whole truth.
func TestClock(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
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
		k := &Clock{Zone: zone, Changed: changed}
		for _, l := range c.times {
			var at int64
			if c.year == 0 {
				at = k.WithoutYear(l.month, l.day, l.hour, l.minute, l.s)
			} else {
				at = k.Local(c.year, l.month, l.day, l.hour, l.minute, l.s, 0)
			}
			if got := time.Unix(0, at).UTC().Format(time.RFC3339); got != l.utc {
				t.Errorf("%s: %d-%d %d:%d:%d is %s, want %s", c.what, l.month, l.day, l.hour, l.minute, l.s, got, l.utc)
			}
		}
		if k.Odd != c.odd {
			t.Errorf("%s: %d odd times, want %d", c.what, k.Odd, c.odd)
		}
	}
}

// TestPlain: times of Exim and rspamd.
func TestPlain(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for _, c := range []struct{ line, utc, rest string }{
		{"2026-11-27 13:35:22 H=x", "2026-11-27T12:35:22Z", " H=x"},
		{"2026-11-27 13:35:22.25 H=x", "2026-11-27T12:35:22.25Z", " H=x"},
		{"2026-11-27 13:35:22 +0130 [12] x", "2026-11-27T12:05:22Z", " [12] x"},
		{"2026-11-27 13:35:22.5 -0500", "2026-11-27T18:35:22.5Z", ""},
		{"2026-11-27 13:35:22 +x", "2026-11-27T12:35:22Z", " +x"},
		{"2026-11-27 13:35", "", ""},
		{"2026-02-30 13:35:22 x", "", ""},
		{"2026-11-27T13:35:22 x", "", ""},
	} {
		at, rest, ok := (&Clock{Zone: zone}).Plain([]byte(c.line))
		if ok != (c.utc != "") {
			t.Errorf("%s: %v", c.line, ok)
		} else if got := time.Unix(0, at).UTC().Format(time.RFC3339Nano); ok && (got != c.utc || string(rest) != c.rest) {
			t.Errorf("%s: %s %q, want %s %q", c.line, got, rest, c.utc, c.rest)
		}
	}
}
