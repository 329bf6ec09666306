// Package value reads values as people write them in the configuration, the
// Corefile, lists and options:
//
//	address              192.0.2.1, 2001:db8::1
//	prefix               192.0.2.0/24, 2001:db8::/32, or an address for itself
//	address with port    192.0.2.1:5300, [2001:db8::1]:5300
//	duration             90s, 15m, 1h30m, 7d, 2w, or a number of seconds
//	size                 512MiB, 20GB
//	count                1, 2, 3, ...
//
// Errors say what a text is not, quote it, and show what to write; they name
// no key, file or line, which the caller knows. The package imports nothing of
// this module.
package value

import (
	"fmt"
	"strconv"
)

// ParseCount reads a whole number from 1 to most.
func ParseCount(text string, most int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("not a number from 1 to %d: %q", most, text)
	}
	return n, nil
}
