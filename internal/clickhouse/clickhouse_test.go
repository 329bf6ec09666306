package clickhouse

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for target, want := range map[string]string{
		"clickhouse://ch1.example.net":                        "http://ch1.example.net:8123/nullspf events ",
		"clickhouse://me@[2001:db8::1]:9000/log":              "http://[2001:db8::1]:9000/log events me",
		"clickhouse://ch1.example.net/?secure=1&table=all_ev": "https://ch1.example.net:8443/nullspf all_ev ",
		"clickhouse://ch1.example.net:1/db?secure=false":      "http://ch1.example.net:1/db events ",
	} {
		d, err := Parse(target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got := d.String() + " " + d.Table + " " + d.user; got != want {
			t.Errorf("%s is %q, want %q", target, got, want)
		}
	}
	for _, target := range []string{
		"", "ch1.example.net", "http://ch1.example.net", "clickhouse://", "clickhouse://u:p@h", "clickhouse://h/a/b", "clickhouse://h/a`b",
		"clickhouse://h?secure=perhaps", "clickhouse://h?table=", "clickhouse://h?table=a%20b", "clickhouse://h?x=1",
	} {
		if d, err := Parse(target); err == nil {
			t.Errorf("%q is accepted: %s", target, d)
		}
	}
}

func TestQuote(t *testing.T) {
	if got, want := Quote("a'b\\c\nd\xff ?"), `'a\'b\\c\x0ad\xff ?'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRows: what a Writer writes, a Reader reads; what is cut is an error.
func TestRows(t *testing.T) {
	var b bytes.Buffer
	w := newWriter(&b)
	w.Text("a\x00\xff")
	w.Int64(-2)
	w.Int32(-3)
	w.Bool(true)
	w.Text(strings.Repeat("x", 300))
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) error {
		r := newReader(bytes.NewReader(data))
		for r.more() {
			a, i, k, is, x := r.Text(), r.Int64(), r.Int32(), r.Bool(), r.Text()
			if r.err == nil && (a != "a\x00\xff" || i != -2 || k != -3 || !is || len(x) != 300) {
				t.Errorf("%q %d %d %v %q", a, i, k, is, x)
			}
		}
		return r.err
	}
	if err := read(b.Bytes()); err != nil {
		t.Error(err)
	}
	for n := 1; n < b.Len(); n++ {
		if read(b.Bytes()[:n]) == nil {
			t.Fatalf("%d bytes of %d are taken for a row", n, b.Len())
		}
	}
}

// TestError: what a server says is bounded and printable, and has its code.
func TestError(t *testing.T) {
	answer := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	d, err := Parse("clickhouse" + strings.TrimPrefix(s.URL, "http"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]Error{
		"Code: 60, e.displayText() = x\x1b[31m\nStack": {60, "Code: 60, e.displayText() = x?[31m"},
		"": {0, "it answers 500 Internal Server Error"}, "Code: , x": {0, "Code: , x"},
		strings.Repeat("é", 5000): {0, strings.Repeat("?", maxMessage/2)},
	} {
		answer = text
		err := d.Exec(t.Context(), "SELECT 1")
		if said, ok := err.(*Error); !ok || *said != want {
			t.Errorf("%.50q: %.100v", text, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x01a\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(bytes.NewReader(data))
		for r.more() {
			if text := r.Text(); len(text) > len(data) {
				t.Errorf("a text of %d bytes in %d", len(text), len(data))
			}
			r.Uint64()
		}
	})
}
