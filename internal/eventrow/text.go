package eventrow

import (
	"fmt"
	"net/netip"
	"strings"
	"unsafe"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// printable escapes bytes that are not printable.
func printable(s string) string {
	if ascii.IsPlain(unsafe.Slice(unsafe.StringData(s), len(s))) {
		return s
	}
	return spftrack.Printable(s)
}

// Unescape resolves the \DDD and \\ of [spftrack.Printable].
func Unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if s[i+1] == '\\' {
				i++
			} else if n, ok := decimal(s[i+1:]); ok {
				c = n
				i += 3
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// decimal reads three digits.
func decimal(s string) (c byte, ok bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, d := range []byte(s[:3]) {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return byte(n), n <= 255
}

// Shown is the last guard before output: a text of a row is printable ASCII
// without spaces already, unless the file was forged. What is not becomes \DDD.
func Shown(s string) string {
	harmless := func(c byte) bool { return c > ' ' && c < 0x7f }
	i := 0
	for i < len(s) && harmless(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if harmless(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, `\%03d`, s[i])
		}
	}
	return b.String()
}

// flagTexts are the names of all sets of flags.
var flagTexts = func() (texts [256]string) {
	for f := range texts {
		texts[f] = spftrack.Flags(f).String()
	}
	return texts
}()

func parseAddr(s string) netip.Addr {
	addr, _ := netip.ParseAddr(s)
	return addr
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func parsePrefix(s string) netip.Prefix {
	if s == "" {
		return netip.Prefix{}
	}
	p, _ := netip.ParsePrefix(s)
	return p
}

func parseName(s string) []byte {
	if s == "" {
		return nil
	}
	name, _ := wire.PackName(s)
	return name
}
