package wire

import (
	"errors"
	"strings"
	"testing"
)

// Names in presentation format are also tested with [nullspf/spftrack].
func TestPackNameErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "empty label"},
		{"..", "empty label"},
		{".a", "empty label"},
		{"a..b", "empty label"},
		{"a..", "empty label"},
		{strings.Repeat("a", 64), "63 bytes"},
		{strings.Repeat("a.", 127) + "a", "253 bytes"},
		{strings.Repeat("a", 1<<20), "253 bytes"},
		{`a\`, `ends in "\"`},
		{`ab\25`, "column 3"},
		{`\256.x`, "column 1"},
		{`\2x5.x`, "column 1"},
	} {
		packed, err := PackName(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || packed != nil || !errors.Is(err, errName) {
			t.Errorf("PackName(%.80q) = %q, %v; want error with %q", test.text, packed, err, test.want)
		}
	}
}

func TestAppendLabels(t *testing.T) {
	long := strings.Repeat("a", MaxLabel)
	longest := long + "." + long + "." + long + "." + long[:MaxName-2-3*(MaxLabel+1)]
	for _, text := range []string{"a", "a.example", `A\b. \x00.x`, longest} {
		want := ""
		for label := range strings.SplitSeq(text, ".") {
			want += string([]byte{byte(len(label))}) + label
		}
		got, err := AppendLabels([]byte("<"), text)
		if err != nil || string(got) != "<"+want+"\x00" {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".", ".a", "a.", "a..b", long + "a", "x." + long + "a.x", longest + "a"} {
		if got, err := AppendLabels(nil, []byte(text)); !errors.Is(err, errName) || got != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestLabels(t *testing.T) {
	for text, want := range map[string][]uint8{
		"\x00":                                {0},
		"\x01a\x02bc\x00\x01z":                {0, 2, 5},
		strings.Repeat("\x01a", 127) + "\x00": nil,
	} {
		var l Labels
		size := l.Read([]byte(text))
		if want == nil {
			for i := range 128 {
				want = append(want, uint8(2*i))
			}
		}
		if l.Count != len(want)-1 || size != int(want[l.Count])+1 || NameSize([]byte(text)) != size || string(l.At[:l.Count+1]) != string(want) {
			t.Errorf("%q: size %d, labels %v", text, size, l.At[:l.Count+1])
		}
		if next, err := SkipName([]byte(text), 0); err != nil || next != size {
			t.Errorf("%q: skipped to %d, %v", text, next, err)
		}
	}
	for _, text := range []string{"", "\x01", "\x01a", "\x40" + strings.Repeat("a", 64) + "\x00", "\xc0\x00", "\x80\x00", strings.Repeat("\x01a", 128) + "\x00"} {
		var l Labels
		if size := l.Read([]byte(text)); size != 0 {
			t.Errorf("%q: size %d", text, size)
		}
	}
	for text, want := range map[string]int{"\xc0\x00": 2, "\x01a\xc0\x00\x00": 4, "\xc0": 0, "\x01a": 0, "\x80\x00": 0, "": 0} {
		if next, err := SkipName([]byte(text), 0); next != want || (err == nil) != (want > 0) {
			t.Errorf("%q: skipped to %d, %v; want %d", text, next, err, want)
		}
	}
}
