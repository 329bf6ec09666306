// Package ascii folds the case of ASCII letters, as DNS does (RFC 4343). All
// other bytes stay as they are, so it suits names in wire format, too: a byte
// with the length of a label is below 'A'. Nothing here allocates unless it
// returns a new string. Long texts are done eight bytes at a time.
package ascii

import "encoding/binary"

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
	start := len(dst)
	dst = append(dst, text...)
	b := dst[start:]
	for len(b) >= 8 {
		v := binary.LittleEndian.Uint64(b)
		binary.LittleEndian.PutUint64(b, lower8(v))
		b = b[8:]
	}
	for i := range b {
		b[i] = Lower(b[i])
	}
	return dst
}

const ones = 0x0101010101010101

// lower8 returns eight bytes in lower case.
func lower8(v uint64) uint64 {
	low := v & (0x7f * ones)
	// The high bit of each byte: from 'A', beyond 'Z', of ASCII.
	letters := (low + (0x80-'A')*ones) &^ (low + (0x7f-'Z')*ones) &^ v & (0x80 * ones)
	return v | letters>>2
}

// Same has the high bit of each byte of v that is c. It may also have that of a byte above
// such a one.
func Same(v uint64, c byte) uint64 {
	d := v ^ uint64(c)*ones
	return (d - ones) &^ d & (0x80 * ones)
}

// MayHave is false for a text that does not have two lower-case letters, one behind the other, in
// whatever case. It may be true for one that has not, too.
func MayHave(text []byte, first, second byte) bool {
	if len(text) < 8 {
		return true
	}
	for at := 0; ; at += 7 {
		end := at+8 >= len(text)
		if end {
			at = len(text) - 8
		}
		v := binary.LittleEndian.Uint64(text[at:]) | 0x20*ones
		if Same(v, first)&(Same(v, second)>>8) != 0 {
			return true
		}
		if end {
			return false
		}
	}
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

// IsPlain reports whether text is printable ASCII, without spaces and backslashes.
func IsPlain(text []byte) bool {
	for len(text) >= 8 {
		v := binary.LittleEndian.Uint64(text)
		// The high bit of each byte: from '!', up to '~', no backslash.
		plain := (v + (0x80-'!')*ones) &^ (v + (0x7f-'~')*ones) &^ v & ((v ^ '\\'*ones) + 0x7f*ones)
		if plain&(0x80*ones) != 0x80*ones {
			return false
		}
		text = text[8:]
	}
	for _, c := range text {
		if c < '!' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}
