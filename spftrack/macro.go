package spftrack

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"nullspf/internal/ascii"
)

// MacroString is a compiled macro-string (RFC 7208 section 7.1). It is safe
// for concurrent use.
type MacroString struct {
	terms []macroTerm
}

// macroTerm is a literal, or one %{...} of a macro-string.
type macroTerm struct {
	literal string
	// letter is the macro-letter in lower case, 0 for a literal.
	letter byte
	// escape: the letter was upper case, so its value is URL-escaped.
	escape bool
	// keep is the number of rightmost parts to keep, 0 for all.
	keep    int
	reverse bool
	// delimiters split the value into parts; "" leaves it whole.
	delimiters string
}

// compileDomainSpec compiles a domain-spec, the text after "exists:" or
// "exp=". The error, a [*MacroError], tells where the text is wrong.
func compileDomainSpec(s string) (*MacroString, error) {
	m, err := compileMacro(s, "slodiphv", func(c byte) bool { return '!' <= c && c <= '~' })
	if err != nil {
		return nil, err
	}
	// domain-end = ( "." toplabel [ "." ] ) / macro-expand
	end := macroTerm{}
	if len(m.terms) > 0 {
		end = m.terms[len(m.terms)-1]
	}
	if end.letter == 0 && !strings.HasSuffix(s, "%%") && !strings.HasSuffix(s, "%_") && !strings.HasSuffix(s, "%-") {
		name := strings.TrimSuffix(end.literal, ".")
		dot := strings.LastIndexByte(name, '.')
		if top := name[dot+1:]; dot < 0 || top == "" || !isTopLabel(top) {
			return nil, &MacroError{Text: s, Column: len(s), Reason: `must end in a macro or in "." and a top-level label`}
		}
	}
	return m, nil
}

// MaxExplanation is the length of an explanation that fits every answer at an
// exp= name, in bytes.
const MaxExplanation = 450

// DefaultExplanation is the explanation where no other is set. Its spaces are
// macros, because libspf2 takes a space for the beginning of one.
const DefaultExplanation = "Mail%_from%_%{d}%_is%_forged:%_this%_domain%_sends%_no%_email"

// CompileExplanation compiles an explain-string (RFC 7208 section 6.2), the
// text of the TXT record at an exp= name, in which spaces and the macros c, r
// and t may stand too. The error, a [*MacroError], tells where the text is
// wrong; receivers ignore a wrong explanation.
func CompileExplanation(s string) (*MacroString, error) {
	return compileMacro(s, "slodiphvcrt", func(c byte) bool { return ' ' <= c && c <= '~' })
}

// MacroError is an error in the text of a macro-string.
type MacroError struct {
	// Text is the whole macro-string, Column the byte in it, from 1.
	Text   string
	Column int
	Reason string
}

func (e *MacroError) Error() string {
	return fmt.Sprintf("macro string %q: column %d: %s", e.Text, e.Column, e.Reason)
}

func compileMacro(s, letters string, literal func(byte) bool) (*MacroString, error) {
	m := &MacroString{}
	var text []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			if !literal(s[i]) {
				return nil, &MacroError{s, i + 1, fmt.Sprintf("the character %q may not stand here", s[i])}
			}
			text = append(text, s[i])
			continue
		}
		next := byte(0)
		if i+1 < len(s) {
			next = s[i+1]
		}
		switch next {
		case '%':
			text = append(text, '%')
			i++
		case '_':
			text = append(text, ' ')
			i++
		case '-':
			text = append(text, "%20"...)
			i++
		case '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, &MacroError{s, i + 1, `"%{" without "}"`}
			}
			term, reason := compileTerm(s[i+2:i+end], letters)
			if reason != "" {
				return nil, &MacroError{s, i + 1, reason}
			}
			if len(text) > 0 {
				m.terms = append(m.terms, macroTerm{literal: string(text)})
				text = text[:0]
			}
			m.terms = append(m.terms, term)
			i += end
		default:
			return nil, &MacroError{s, i + 1, `"%" must be followed by "{", "%", "_" or "-"`}
		}
	}
	if len(text) > 0 {
		m.terms = append(m.terms, macroTerm{literal: string(text)})
	}
	return m, nil
}

// maxParts bounds the digits of a transformer: no name has more labels.
const maxParts = 128

// compileTerm compiles macro-letter, transformers and delimiters.
func compileTerm(s, letters string) (term macroTerm, reason string) {
	if s == "" {
		return term, "macro without a letter"
	}
	term.letter = ascii.Lower(s[0])
	term.escape = term.letter != s[0]
	if strings.IndexByte(letters, term.letter) < 0 {
		return term, fmt.Sprintf("the macro letter %q may not stand here; use one of %s", s[0], letters)
	}
	rest := s[1:]
	digits := 0
	for digits < len(rest) && isDigit(rest[digits]) {
		term.keep = min(term.keep*10+int(rest[digits]-'0'), maxParts)
		digits++
	}
	if digits > 0 && term.keep == 0 {
		return term, "zero parts asked for; the number must be at least 1"
	}
	rest = rest[digits:]
	if rest != "" && (rest[0] == 'r' || rest[0] == 'R') {
		term.reverse = true
		rest = rest[1:]
	}
	for _, c := range []byte(rest) {
		if strings.IndexByte(".-+,/_=", c) < 0 {
			return term, fmt.Sprintf("%q is not a delimiter; use . - + , / _ =", c)
		}
	}
	term.delimiters = rest
	if rest == "" && (digits > 0 || term.reverse) {
		term.delimiters = "."
	}
	return term, ""
}

func (m *MacroString) append(dst []byte, v *macroValues) []byte {
	for _, t := range m.terms {
		if t.letter == 0 {
			dst = append(dst, t.literal...)
			continue
		}
		value := t.transform(v.of(t.letter))
		if t.escape {
			dst = appendURLEscaped(dst, value)
		} else {
			dst = append(dst, value...)
		}
	}
	return dst
}

// transform splits at the delimiters, reverses, keeps the rightmost parts and
// joins them with dots (RFC 7208 section 7.3). Delimiters side by side are one.
func (t *macroTerm) transform(value string) string {
	if t.delimiters == "" {
		return value
	}
	parts := strings.FieldsFunc(value, func(r rune) bool {
		return strings.ContainsRune(t.delimiters, r)
	})
	if t.reverse {
		slices.Reverse(parts)
	}
	if t.keep > 0 && t.keep < len(parts) {
		parts = parts[len(parts)-t.keep:]
	}
	return strings.Join(parts, ".")
}

// appendURLEscaped escapes all but the unreserved characters of RFC 3986
// section 2.3.
func appendURLEscaped(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for _, c := range []byte(s) {
		if isAlnum(c) || strings.IndexByte("-._~", c) >= 0 {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// appendMacroIP appends the value of %{i}: dotted octets for IPv4, dotted
// nibbles for IPv6, in network order.
func appendMacroIP(dst []byte, ip netip.Addr) []byte {
	if ip.Is4() {
		return ip.AppendTo(dst)
	}
	const hex = "0123456789abcdef"
	for i, b := range ip.As16() {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, hex[b>>4], '.', hex[b&15])
	}
	return dst
}
