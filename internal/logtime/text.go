package logtime

import (
	"bytes"
	"strings"
	"time"
)

// Syslog reads the begin of a line of syslog, Nov 27 12:07:59 or a time of RFC 3339, in
// nanoseconds since 1970-01-01 UTC.
func (c *Clock) Syslog(text []byte) (int64, bool) {
	if word, _, ok := bytes.Cut(text, []byte(" ")); ok && len(word) > len("2026-11-27T12:07:59") {
		t, err := time.Parse(time.RFC3339Nano, string(word))
		if err != nil || t.Year() < 1970 || t.Year() > 2200 {
			return 0, false
		}
		return t.UnixNano(), true
	}
	if len(text) < len("Nov 27 12:07:59") || text[3] != ' ' || text[6] != ' ' {
		return 0, false
	}
	month := MonthOf(text[:3])
	day, ok1 := Decimal(bytes.TrimLeft(text[4:6], " "), 2)
	h, m, s, _, ok2 := TimeOfDay(text[7:15])
	if !ok1 || !ok2 || !IsDate(2024, month, day) {
		return 0, false
	}
	return c.WithoutYear(time.Month(month), day, h, m, s), true
}

// Plain reads the begin of a line, 2026-11-27 13:35:22, also with milliseconds or more, and
// with a zone such as +0100 behind it, in nanoseconds since 1970-01-01 UTC, and returns what
// follows.
func (c *Clock) Plain(line []byte) (ns int64, rest []byte, ok bool) {
	const day, second = len("2026-11-27"), len("2026-11-27 13:35:22")
	if len(line) < second || line[4] != '-' || line[7] != '-' || line[day] != ' ' {
		return 0, line, false
	}
	year, ok1 := Decimal(line[:4], 4)
	month, ok2 := Decimal(line[5:7], 2)
	date, ok3 := Decimal(line[8:10], 2)
	h, m, s, _, ok4 := TimeOfDay(line[day+1 : second])
	if !ok1 || !ok2 || !ok3 || !ok4 || !IsDate(year, month, date) {
		return 0, line, false
	}
	rest = line[second:]
	fraction := int64(0)
	if len(rest) > 0 && rest[0] == '.' {
		unit := int64(time.Second)
		for rest = rest[1:]; len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'; rest = rest[1:] {
			unit /= 10
			fraction += unit * int64(rest[0]-'0')
		}
	}
	if len(rest) > 5 && rest[0] == ' ' && (rest[1] == '+' || rest[1] == '-') {
		if hours, ok := Decimal(rest[2:4], 2); ok {
			minutes, ok := Decimal(rest[4:min(6, len(rest))], 2)
			if !ok {
				return 0, line, false
			}
			offset := 60*hours + minutes
			if rest[1] == '-' {
				offset = -offset
			}
			at := time.Date(year, time.Month(month), date, h, m-offset, s, 0, time.UTC)
			return at.UnixNano() + fraction, rest[min(6, len(rest)):], true
		}
	}
	return c.Local(year, time.Month(month), date, h, m, s, fraction), rest, true
}

// TimeOfDay reads 12:07:59 and 12:07:59.715.
func TimeOfDay(b []byte) (h, m, s, ns int, ok bool) {
	if b[2] != ':' || b[5] != ':' {
		return 0, 0, 0, 0, false
	}
	h, ok1 := Decimal(b[:2], 2)
	m, ok2 := Decimal(b[3:5], 2)
	s, ok3 := Decimal(b[6:8], 2)
	if len(b) > 8 {
		ms, ok4 := Decimal(b[9:], 3)
		if !ok4 || b[8] != '.' || len(b) != 12 {
			return 0, 0, 0, 0, false
		}
		ns = ms * int(time.Millisecond)
	}
	// 60 is a leap second.
	return h, m, min(s, 59), ns, ok1 && ok2 && ok3 && h < 24 && m < 60 && s <= 60
}

// Decimal reads a number of at most so many digits.
func Decimal(b []byte, digits int) (n int, ok bool) {
	if len(b) == 0 || len(b) > digits {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// IsDate reports whether there is such a day, from 1970 to 2200.
func IsDate(year, month, day int) bool {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return year >= 1970 && year <= 2200 && t.Month() == time.Month(month) && t.Day() == day
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// MonthOf returns 1 to 12, and 0 for what is no month.
func MonthOf(b []byte) int {
	if at := strings.Index(months, string(b)); len(b) == 3 && at >= 0 && at%3 == 0 {
		return at/3 + 1
	}
	return 0
}
