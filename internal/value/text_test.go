package value

import "testing"

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"bücher.example":       "bücher.example",
		`a "b" \n`:             `a "b" \n`,
		"a\nb\tc":              `a\nb\tc`,
		"\x1b[31mred":          `\x1b[31mred`,
		"\u0085\u202e\u200b":   `\u0085\u202e\u200b`,
		"\xff\xc3":             `\xff\xc3`,
		"no\u00a0break\ufffd.": "no\u00a0break\ufffd.",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
