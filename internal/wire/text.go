package wire

import "fmt"

// nameFault is an [errName] that says what is wrong.
type nameFault string

func (f nameFault) Error() string { return string(f) }

func (f nameFault) Is(target error) bool { return target == errName }

const (
	errLongName   = nameFault("the name is longer than 253 bytes")
	errEmptyLabel = nameFault("the name has an empty label")
	errLongLabel  = nameFault("the name has a label of more than 63 bytes")
)

// PackName returns the wire format of a name in presentation format (RFC 1035
// section 5.1): escapes \DDD and \X, with or without final dot, case as it is.
// The error is an [errName] and tells what keeps the text from being a name.
func PackName(text string) ([]byte, error) {
	if text == "." {
		return []byte{0}, nil
	}
	name := make([]byte, 1, min(len(text)+2, MaxName+1))
	start := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.' && i == len(text)-1:
			continue
		case c == '.':
			if err := closeLabel(name, start); err != nil {
				return nil, err
			}
			start = len(name)
			c = 0
		case c == '\\':
			var err error
			if c, i, err = unescape(text, i); err != nil {
				return nil, err
			}
		}
		name = append(name, c)
		if len(name) >= MaxName {
			return nil, errLongName
		}
	}
	if err := closeLabel(name, start); err != nil {
		return nil, err
	}
	return append(name, 0), nil
}

// AppendLabels appends the wire format of a name without final dot whose bytes
// stand for themselves, with dots between its labels. The error is an [errName].
func AppendLabels[T ~string | ~[]byte](dst []byte, name T) ([]byte, error) {
	if len(name) > MaxName-2 {
		return nil, errLongName
	}
	start := len(dst)
	dst = append(dst, 0)
	for i := range len(name) {
		c := name[i]
		if c != '.' {
			dst = append(dst, c)
			continue
		}
		if err := closeLabel(dst, start); err != nil {
			return nil, err
		}
		start = len(dst)
		dst = append(dst, 0)
	}
	if err := closeLabel(dst, start); err != nil {
		return nil, err
	}
	return append(dst, 0), nil
}

// closeLabel writes the length of the label that begins at start and ends with
// the name so far.
func closeLabel(name []byte, start int) error {
	n := len(name) - start - 1
	if n == 0 {
		return errEmptyLabel
	}
	if n > MaxLabel {
		return errLongLabel
	}
	name[start] = byte(n)
	return nil
}

// unescape reads the escape at text[i] and returns its byte and the index of
// its last character.
func unescape(text string, i int) (c byte, last int, err error) {
	if i+1 == len(text) {
		return 0, 0, nameFault(`the name ends in "\"; write \\ or \DDD`)
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
	return 0, 0, nameFault(fmt.Sprintf(`column %d: "\" before a digit must begin \DDD, 000 to 255`, i+1))
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
