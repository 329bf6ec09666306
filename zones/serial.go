package zones

import (
	"fmt"
	"time"

	"nullspf/internal/serial"
)

// Scheme says how the serial number of a changed zone is chosen.
type Scheme string

// The schemes. Whatever the scheme, a new serial number is greater than the
// old one in the arithmetic of RFC 1982: where the clock gives no greater one,
// it is the old one plus one.
const (
	DateSerial Scheme = "dateserial" // YYYYMMDDnn, the date in UTC
	UnixTime   Scheme = "unixtime"   // seconds since 1970
	Increment  Scheme = "increment"  // 1, 2, 3, ...
)

// ParseScheme reads the configuration's word for a scheme.
func ParseScheme(s string) (Scheme, error) {
	switch scheme := Scheme(s); scheme {
	case DateSerial, UnixTime, Increment:
		return scheme, nil
	}
	return "", fmt.Errorf("unknown serial scheme %q; the schemes are dateserial, unixtime, increment", s)
}

// first returns the serial number of a zone that never had one.
func (s Scheme) first(now time.Time) uint32 {
	switch s {
	case DateSerial:
		y, m, d := now.UTC().Date()
		return uint32(y)*1000000 + uint32(m)*10000 + uint32(d)*100
	case UnixTime:
		return max(uint32(now.Unix()), 1)
	default:
		return 1
	}
}

// next returns the serial number that follows old. It is never 0, which some
// secondaries take for "no zone".
func (s Scheme) next(old uint32, now time.Time) uint32 {
	if s != Increment {
		if n := s.first(now); serial.Greater(n, old) {
			return n
		}
	}
	return max(old+1, 1)
}
