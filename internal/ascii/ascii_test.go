package ascii

import (
	"math/bits"
	"strings"
	"testing"
	"unicode"
)

// all holds every byte once.
var all = func() string {
	var b []byte
	for c := range 256 {
		b = append(b, byte(c))
	}
	return string(b)
}()

func TestLower(t *testing.T) {
	for i := range 256 {
		want := byte(i)
		if i <= unicode.MaxASCII {
			want = byte(unicode.ToLower(rune(i)))
		}
		if got := Lower(byte(i)); got != want {
			t.Errorf("Lower(%#x) = %#x, want %#x", i, got, want)
		}
	}
}

func TestToLower(t *testing.T) {
	for _, text := range []string{"", "example", "eXample", "\x07Example\x00", all, all[3:], all[1:] + "A"} {
		want := ""
		for i := range len(text) {
			want += string([]byte{Lower(text[i])})
		}
		if got := ToLower(text); got != want {
			t.Errorf("ToLower(%q) = %q", text, got)
		}
		if got := string(AppendLower([]byte("<"), []byte(text))); got != "<"+want {
			t.Errorf("AppendLower(%q) = %q", text, got)
		}
	}
	// The Kelvin sign is not an ASCII letter, whatever Unicode folds it to.
	if kelvin := "\u212a"; ToLower(kelvin) != kelvin || strings.ToLower(kelvin) != "k" {
		t.Error("the Kelvin sign was changed")
	}
	if n := testing.AllocsPerRun(10, func() { ToLower("example.net") }); n != 0 {
		t.Errorf("text in lower case: %v allocations", n)
	}
}

func TestMayHave(t *testing.T) {
	for n := range 40 {
		text := strings.Repeat("f-r.", 10)[:n]
		if got := MayHave([]byte(text), 'f', 'r'); got != (n < 8) {
			t.Errorf("MayHave(%q) = %v", text, got)
		}
		for i := range n - 1 {
			for _, pair := range []string{"fr", "FR", "fR", "Fr"} {
				if has := text[:i] + pair + text[i+2:]; !MayHave([]byte(has), 'f', 'r') {
					t.Errorf("MayHave(%q) = false", has)
				}
			}
		}
	}
}

func TestEqualFold(t *testing.T) {
	for c := range 256 {
		for d := range 256 {
			a, b := string([]byte{'x', byte(c)}), []byte{'X', byte(d)}
			if got, want := EqualFold(a, b), Lower(byte(c)) == Lower(byte(d)); got != want {
				t.Errorf("EqualFold(%q, %q) = %v", a, b, got)
			}
		}
	}
	for _, pair := range [][2]string{{"a", ""}, {"", "a"}, {"ab", "a"}, {"\u212a", "k"}} {
		if EqualFold(pair[0], pair[1]) {
			t.Errorf("EqualFold(%q, %q)", pair[0], pair[1])
		}
	}
}

// TestIsPlain: each byte, in each place of a text.
func TestIsPlain(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7f && c != '\\'
		for at := range 19 {
			text := []byte(strings.Repeat("x~!", 7)[:19])
			text[at] = byte(c)
			if got := IsPlain(text); got != want {
				t.Fatalf("IsPlain(%q) = %v", text, got)
			}
		}
	}
	if !IsPlain(nil) {
		t.Error("no text")
	}
}

func TestSame(t *testing.T) {
	for c := range 256 {
		for at := range 8 {
			v := uint64(byte(c)) << (8 * at)
			if c == 0 {
				v = 0x0101010101010101 &^ (0xff << (8 * at))
			}
			first := bits.TrailingZeros64(Same(v, byte(c))) / 8
			if first != at {
				t.Errorf("%#x in %#016x: at %d", c, v, first)
			}
			if got := Same(v, byte(c)+1) &^ (0xff << (8 * at)); c != 0 && c != 255 && got != 0 {
				t.Errorf("%#x in %#016x: %#x", c+1, v, got)
			}
		}
	}
}

func BenchmarkAppendLower(b *testing.B) {
	name := []byte("\x04mail\x07Example\x03org\x02HE\x04user\x02LP\x03192\x010\x012\x017\x07in-addr\x02CL\x04shop\x07example\x02FD\x012\x04_spf\x07example\x03net\x00")
	var dst []byte
	for b.Loop() {
		dst = AppendLower(dst[:0], name)
	}
}
