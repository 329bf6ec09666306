package eventrow

import (
	"math/bits"
	"strings"

	"nullspf/internal/ascii"
)

// A name says what other columns have, too. There it has, in a row and in segments, a
// backslash and a letter in place of the other column's text:
//
//	mail.example.org.HE.user.LP.192.0.2.1.in-addr.CL.shop.example.FD.2._spf.example.net
//	\h.HE.\l.LP.\i.in-addr.CL.\d.FD.2.\z
//
// A text stands so only where it is whole labels. In the form of [spftrack.Printable], a
// backslash comes before another one, a dot or three digits, so a name that was never
// shortened is read right. A name with a backslash of its own is left as it is: in the
// others, whoever replaces the letters in any order gets the same.
var nameParts = []struct {
	letter byte
	column *Column
}{{'h', HELO}, {'l', SenderLocal}, {'i', ClientIP}, {'d', ForgedDomain}, {'z', Zone}}

// minNamePart is the length of the shortest text that is replaced.
const minNamePart = 3

// NameColumns are those that [Row.Name] needs beside [RawName].
var NameColumns = func() (list []*Column) {
	for _, p := range nameParts {
		list = append(list, p.column)
	}
	return list
}()

// Shorten shortens RawName by the other columns, which must be complete. The builder has
// its memory.
func (b *Builder) Shorten(r *Row) {
	if strings.IndexByte(r.RawName, '\\') >= 0 {
		return
	}
	b.room(len(r.RawName))
	start := len(b.texts)
	b.texts = append(b.texts, r.RawName...)
	r.RawName = b.shorten(start, r)
}

// shorten shortens the name that is the end of the builder's memory.
func (b *Builder) shorten(start int, r *Row) string {
	var texts [8]string
	// A byte for each text, its first one; 0 for one that is too short.
	firsts := uint64(0)
	for k, p := range nameParts {
		if texts[k] = p.column.Text(r); len(texts[k]) >= minNamePart {
			firsts |= uint64(texts[k][0]) << (8 * k)
		}
	}
	name := b.texts[start:]
	// Before out is what is left of the bytes before done.
	out, done := 0, 0
	for i := 0; i < len(name); i++ {
		for m := ascii.Same(firsts, name[i]); m != 0; m &= m - 1 {
			k := bits.TrailingZeros64(m) / 8
			end := i + len(texts[k])
			if end > i && end <= len(name) && (end == len(name) || name[end] == '.') && string(name[i:end]) == texts[k] {
				out += copy(name[out:], name[done:i])
				name[out], name[out+1] = '\\', nameParts[k].letter
				out, done, i = out+2, end, end
				break
			}
		}
		for i < len(name) && name[i] != '.' {
			i++
		}
	}
	out += copy(name[out:], name[done:])
	b.texts = b.texts[:start+out]
	return b.text(start)
}

// Name is the whole name; RawName may be a shortened one. It needs [NameColumns].
func (r *Row) Name() string {
	short := r.RawName
	at := strings.IndexByte(short, '\\')
	if at < 0 {
		return short
	}
	name := make([]byte, 0, 4*len(short))
	for ; at >= 0 && at+1 < len(short); at = strings.IndexByte(short, '\\') {
		name = append(name, short[:at]...)
		name = append(name, r.namePart(short[at:at+2])...)
		short = short[at+2:]
	}
	return string(append(name, short...))
}

// namePart is what a backslash and a byte stand for.
func (r *Row) namePart(escape string) string {
	for _, p := range nameParts {
		if escape[1] == p.letter {
			return p.column.Text(r)
		}
	}
	return escape
}
