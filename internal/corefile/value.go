package corefile

import (
	"fmt"
	"strings"
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
