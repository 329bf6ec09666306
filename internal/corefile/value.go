package corefile

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseName returns a name in lower case without final dot.
func parseName(text string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if name == "" {
		return "", fmt.Errorf("%q is no domain name", text)
	}
	if len(name) > 253 {
		return "", fmt.Errorf("%q is longer than 253 octets", text)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("%q is no domain name: a label has 1 to 63 octets", text)
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return "", fmt.Errorf("%q is no domain name: use letters, digits, - and _, and A-labels (xn--) for the rest", text)
			}
		}
	}
	return name, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network, such as 192.0.2.0/24 or 2001:db8::/32", text)
	}
	return p.Masked(), nil
}

var timeUnits = map[byte]time.Duration{
	's': time.Second,
	'm': time.Minute,
	'h': time.Hour,
	'd': 24 * time.Hour,
	'w': 7 * 24 * time.Hour,
}

// parseDuration reads seconds, or numbers with units, such as 90, 60s, 1h30m
// or 400d.
func parseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no time, such as 60s, 15m, 2h, 28d", text)
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	var total time.Duration
	for rest := text; rest != ""; {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.ParseUint(rest[:digits], 10, 31)
		if err != nil || digits == len(rest) {
			return 0, bad
		}
		unit, ok := timeUnits[rest[digits]]
		if !ok || n > uint64(math.MaxInt64/unit) {
			return 0, bad
		}
		if total += time.Duration(n) * unit; total < 0 {
			return 0, bad
		}
		rest = rest[digits+1:]
	}
	if total == 0 && text == "" {
		return 0, bad
	}
	return total, nil
}

var sizeUnits = []struct {
	suffix string
	octets float64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

// parseSize reads a number of octets with its unit, such as 20GB or 512MiB.
func parseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 62)
		if err != nil || float64(n)*u.octets >= math.MaxInt64 {
			break
		}
		return int64(n) * int64(u.octets), nil
	}
	return 0, fmt.Errorf("%q is no size, such as 20GB or 512MiB", text)
}
