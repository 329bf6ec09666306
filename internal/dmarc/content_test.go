package dmarc

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

func gzipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// zipped is an archive whose local headers have no sizes.
func zipped(tb testing.TB, files ...string) string {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, text := range files {
		w, err := z.Create(fmt.Sprintf("dir/%d.xml", i))
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// attached is a mail with parts of one type.
func attached(kind string, parts ...string) string {
	var b strings.Builder
	b.WriteString("From: a@b.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\n--=_x\r\n\r\nFrom here on, see below.\r\n")
	for _, part := range parts {
		fmt.Fprintf(&b, "--=_x\r\nContent-Type: %s\r\nContent-Transfer-Encoding: BASE64\r\n\r\n", kind)
		for text := base64.StdEncoding.EncodeToString([]byte(part)); text != ""; text = text[min(len(text), 76):] {
			b.WriteString(text[:min(len(text), 76)] + "\r\n")
		}
	}
	b.WriteString("--=_x--")
	return b.String()
}

// inMbox is a mail as it stands in an mbox.
func inMbox(mail string) string { return strings.ReplaceAll(mail, "\nFrom ", "\n>From ") }

// TestContainers: a report is found however it is packed.
func TestContainers(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	rspamd, opendmarc := read("rspamd-forged.eml"), read("opendmarc-forged.eml")
	box := "From a@b.test Fri Nov 27 12:34:54 2026\n" + strings.ReplaceAll(rspamd, "\r\n", "\n") + "\n\n" +
		"From c@d.test Fri Nov 27 12:34:55 2026\nSubject: lunch\n\n>From noon on?\n\nFrom e@f.test Fri Nov 27 12:34:56 2026\r\n" + opendmarc
	for _, c := range []struct {
		name, text string
		reports    int
		problems   string
	}{
		{"gzip", gzipped(t, newest), 1, ""},
		{"gzip twice", gzipped(t, gzipped(t, newest)), 1, ""},
		{"zip", zipped(t, newest, newest), 2, ""},
		{"zip of gzip", zipped(t, gzipped(t, newest)), 1, ""},
		{"mail with XML", attached("text/xml", newest), 1, ""},
		{"mail with ZIP of no type", attached("x", zipped(t, newest)), 1, ""},
		{"mail with two", attached("application/gzip", gzipped(t, newest), gzipped(t, newest)), 2, ""},
		{"mail that is the report", "Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(gzipped(t, newest))), 1, ""},
		{"mail in a mail", "Content-Type: message/rfc822\r\n\r\n" + opendmarc, 1, ""},
		{"mail with a damaged one", attached("application/gzip", gzipped(t, newest)[:300], gzipped(t, newest)), 1, "1: unexpected EOF"},
		{"mail, cut", opendmarc[:len(opendmarc)-400], 0, "1: "},
		{"mbox", box, 2, "2: nothing"},
		{"mbox, compressed", gzipped(t, "From x\n"+inMbox(attached("text/xml", newest))), 0, "1: nothing"}, // the caller decompresses files
		{"empty", "", 0, "1: nothing"},
		{"text", "hello\n", 0, "1: nothing"},
		{"image", attached("image/png", "\x89PNG\r\n"), 0, "1: nothing"},
		{"page", attached("text/html", "<html><body>"), 0, "1: nothing"},
	} {
		reports, problems := readText(t, c.text)
		if len(reports) != c.reports || (len(problems) > 0) != (c.problems != "") || !strings.HasPrefix(strings.Join(problems, "\n"), c.problems) {
			t.Errorf("%s: %d reports, %q", c.name, len(reports), problems)
		}
	}
}

// TestBombs: what comes to too much is refused, and the rest of an mbox read.
func TestBombs(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	blank := strings.Repeat(" ", most+1)
	long := strings.Replace(newest, "<version>", blank+"<version>", 1)
	deep := newest
	for range maxNesting + 1 {
		deep = gzipped(t, deep)
	}
	entries := strings.Repeat("x", maxParts+1)
	for name, c := range map[string]struct{ text, want string }{
		"gzip":      {gzipped(t, long), "comes to more than 64 MiB"},
		"zip":       {zipped(t, long), "comes to more than 64 MiB"},
		"many":      {zipped(t, strings.Split(entries, "")...), "more than 256 parts"},
		"many mail": {attached("text/plain", strings.Split(entries, "")...), "more than 256 parts"},
		"deep":      {deep, "nested more than 6 deep"},
	} {
		mail := c.text
		if name != "many mail" {
			mail = attached("application/octet-stream", c.text)
		}
		reports, problems := readBounded(t, "From x\r\n"+inMbox(mail)+"\r\n\r\nFrom y\r\n"+inMbox(attached("text/xml", newest)), most)
		if len(reports) != 1 || len(problems) == 0 || !strings.HasPrefix(problems[0], "1: ") || !strings.Contains(strings.Join(problems, "\n"), c.want) {
			t.Errorf("%s: %d reports, %q", name, len(reports), problems)
		}
	}
}

// FuzzEach: no file makes reading fail or go on without end.
func FuzzEach(f *testing.F) {
	for _, name := range []string{"rspamd-own-p-none.eml", "opendmarc-subdomain.eml"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
		f.Add("From x\n" + string(text) + "\n\nFrom y\n" + string(text))
	}
	f.Add(zipped(f, newest, gzipped(f, newest)))
	f.Add(attached("text/xml", newest))
	f.Fuzz(func(t *testing.T, text string) {
		reports, problems := readText(t, text)
		if len(reports)+len(problems) == 0 && !strings.HasPrefix(text, mboxLine) {
			t.Error("nothing was told")
		}
	})
}
