package spftrack

import (
	"errors"
	"fmt"
	"strings"

	"nullspf/internal/ascii"
)

const (
	errPrefix = "spftrack: "
	maxLabel  = 63
	// maxText is the longest name as text without final dot, maxWire the same
	// in wire format (RFC 1035 section 2.3.4, RFC 7208 section 7.3).
	maxText = 253
	maxWire = 255
	// maxLabels of a name: 127 of one octet each.
	maxLabels = 127
)

// Printable returns octets that a stranger chose in a form that is safe to
// show: printable ASCII stands for itself, a backslash is doubled, and space,
// control characters and high octets become \DDD in decimal (RFC 1035
// section 5.1). [ParseName] reads names in this form.
func Printable[T ~string | ~[]byte](raw T) string {
	return string(appendPrintable(nil, raw, false))
}

func appendPrintable[T ~string | ~[]byte](dst []byte, raw T, label bool) []byte {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '\\', label && c == '.':
			dst = append(dst, '\\', c)
		case c <= ' ' || c >= 0x7f:
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// PrintableName returns a name in wire format as [Printable] text without
// final dot, dots inside of labels escaped; the root is ".". What is no name
// is shown octet by octet.
func PrintableName(wire []byte) string {
	var text []byte
	for i := 0; i < len(wire); {
		n := int(wire[i])
		if n == 0 && i == len(wire)-1 {
			if i == 0 {
				return "."
			}
			return string(text[:len(text)-1])
		}
		if n == 0 || n > maxLabel || i+1+n > len(wire) {
			break
		}
		text = appendPrintable(text, wire[i+1:i+1+n], true)
		text = append(text, '.')
		i += 1 + n
	}
	return Printable(wire)
}

// ParseName returns the wire format of a name in presentation format (RFC 1035
// section 5.1): escapes \DDD and \X, with or without final dot. The error
// tells what keeps the text from being a name.
func ParseName(text string) ([]byte, error) {
	if text == "." {
		return []byte{0}, nil
	}
	wire := make([]byte, 1, min(len(text)+2, maxWire+1))
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.' && i == len(text)-1:
			continue
		case c == '.':
			if err := closeLabel(wire, start); err != nil {
				return nil, err
			}
			start = len(wire)
			c = 0
		case c == '\\':
			var err error
			if c, i, err = unescape(text, i); err != nil {
				return nil, err
			}
		}
		wire = append(wire, c)
		if len(wire) >= maxWire {
			return nil, errors.New(errPrefix + "the name is longer than 253 octets")
		}
	}
	if err := closeLabel(wire, start); err != nil {
		return nil, err
	}
	return append(wire, 0), nil
}

// unescape reads the escape at text[i] and returns its octet and the index of
// its last character.
func unescape(text string, i int) (c byte, last int, err error) {
	if i+1 == len(text) {
		return 0, 0, errors.New(errPrefix + `the name ends in "\"; write \\ or \DDD`)
	}
	if !isDigit(text[i+1]) {
		return text[i+1], i + 1, nil
	}
	if i+3 < len(text) && isDigit(text[i+2]) && isDigit(text[i+3]) {
		n := int(text[i+1]-'0')*100 + int(text[i+2]-'0')*10 + int(text[i+3]-'0')
		if n <= 255 {
			return byte(n), i + 3, nil
		}
	}
	return 0, 0, fmt.Errorf(`%scolumn %d: "\" before a digit must begin \DDD, 000 to 255`, errPrefix, i+1)
}

// closeLabel writes the length octet of the label that begins at start.
func closeLabel(wire []byte, start int) error {
	n := len(wire) - start - 1
	if n == 0 {
		return errors.New(errPrefix + "the name has an empty label")
	}
	if n > maxLabel {
		return errors.New(errPrefix + "the name has a label of more than 63 octets")
	}
	wire[start] = byte(n)
	return nil
}

// packText returns the wire format of a name whose octets stand for
// themselves, dots between labels.
func packText(name string) ([]byte, error) {
	if len(name) > maxText {
		return nil, errors.New(errPrefix + "the name is longer than 253 octets")
	}
	wire := make([]byte, 0, len(name)+2)
	for label := range strings.SplitSeq(name, ".") {
		start := len(wire)
		wire = append(append(wire, 0), label...)
		if err := closeLabel(wire, start); err != nil {
			return nil, err
		}
	}
	return append(wire, 0), nil
}

// labels is a name split for parsing.
//
//	text   192.0.2.7.in-addr.cl.shop.example.fd.1._spf.example.net
//	start  0   4 6 8 10      18 21   26      34 37 39            end
//	count  10, the labels left of the zone; start[10] is where the zone begins
type labels struct {
	// text is lower case: the case of a question is not trustworthy, because
	// resolvers change it at random (0x20) and SPF implementations lower it.
	text [maxText]byte
	// start holds the offset of each label; one past the last, the offset
	// where another would begin.
	start [maxLabels + 1]uint8
	count int
	// size is the length of text, zone included.
	size int
}

// load reads an uncompressed name, which must fill wire.
func (l *labels) load(wire []byte) bool {
	if len(wire) == 0 || len(wire) > maxWire {
		return false
	}
	i, end := 0, len(wire)-1
	if wire[end] != 0 {
		return false
	}
	for i < end {
		n := int(wire[i])
		if n == 0 || n > maxLabel || i+1+n > end {
			return false
		}
		if l.size > 0 {
			l.text[l.size] = '.'
			l.size++
		}
		l.start[l.count] = uint8(l.size)
		l.count++
		for _, c := range wire[i+1 : i+1+n] {
			l.text[l.size] = ascii.Lower(c)
			l.size++
		}
		i += 1 + n
	}
	l.start[l.count] = uint8(l.size + 1)
	return i == end
}

// trimZone takes the zone off the right; false when the name is not in it.
func (l *labels) trimZone(zone string, zoneLabels int) bool {
	first := l.count - zoneLabels
	if first < 0 || int(l.start[first]) != l.size-len(zone) || string(l.text[l.start[first]:l.size]) != zone {
		return false
	}
	l.count = first
	return true
}

// dropFirst takes the leftmost label away.
func (l *labels) dropFirst() {
	l.count--
	copy(l.start[:l.count+1], l.start[1:])
}

func (l *labels) at(i int) []byte { return l.text[l.start[i] : l.start[i+1]-1] }

func (l *labels) is(i int, word string) bool { return string(l.at(i)) == word }

// between returns the labels from i up to, not including, j with their dots.
func (l *labels) between(i, j int) []byte {
	if i >= j {
		return nil
	}
	return l.text[l.start[i] : l.start[j]-1]
}

// string returns the whole text; see [labels.part].
func (l *labels) string() string { return string(l.text[:l.size]) }

// part is between for the text that string returned, so that all fields of a
// name cost one allocation.
func (l *labels) part(text string, i, j int) string {
	if i >= j {
		return ""
	}
	return text[l.start[i] : l.start[j]-1]
}
