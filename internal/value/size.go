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
