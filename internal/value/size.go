package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// sizeUnits are in upper case, each before those that end it.
var sizeUnits = []struct {
	suffix string
	bytes  uint64
}{
	{"TIB", 1 << 40}, {"GIB", 1 << 30}, {"MIB", 1 << 20}, {"KIB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// FormatSize writes a size in its largest whole unit.
func FormatSize(n int64) string {
	best, text := n, strconv.FormatInt(n, 10)+"B"
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}} {
		if q := n / u.bytes; n%u.bytes == 0 && q > 0 && q < best {
			best, text = q, strconv.FormatInt(q, 10)+u.suffix
		}
	}
	return text
}

// ParseSize reads a number of bytes with its unit, in upper or lower case.
// Without unit, or with a letter alone, it would be a guess.
func ParseSize(text string) (int64, error) {
	for _, u := range sizeUnits {
		digits, found := strings.CutSuffix(strings.ToUpper(text), u.suffix)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			break
		}
		if n > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("too large a size: %q", text)
		}
		return int64(n * u.bytes), nil
	}
	return 0, fmt.Errorf("not a size: %q; write 500MB, 512MiB, 20GB", text)
}
