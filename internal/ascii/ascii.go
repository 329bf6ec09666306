// Package ascii folds the case of ASCII letters, as DNS does (RFC 4343). All
// other bytes stay as they are, so it suits names in wire format, too: a byte
// with the length of a label is below 'A'. Nothing here allocates unless it
// returns a new string.
package ascii

// Lower returns a byte in lower case.
func Lower(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}

// ToLower returns text in lower case.
func ToLower(text string) string {
	for i := range len(text) {
		if text[i]-'A' < 26 {
			return string(AppendLower(make([]byte, 0, len(text)), text))
		}
	}
	return text
}

// AppendLower appends text in lower case.
func AppendLower[T ~string | ~[]byte](dst []byte, text T) []byte {
	for i := range len(text) {
		dst = append(dst, Lower(text[i]))
	}
	return dst
}

// EqualFold reports whether two texts differ in the case of letters at most.
func EqualFold[A, B ~string | ~[]byte](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if c, d := a[i], b[i]; c != d && Lower(c) != Lower(d) {
			return false
		}
	}
	return true
}
