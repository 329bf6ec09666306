package corefile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/internal/nameserver"
)

func TestReadSecrets(t *testing.T) {
	const a, b = "e5e973e5a6b2a43f48e7dc849e37bfcf", "DD3BDF9344B678B185A6F5CB60FCA715"
	path := filepath.Join(t.TempDir(), "secrets")
	for _, c := range []struct{ text, err string }{
		{a, ""},
		{"# the new one\n" + a + "\n\n  " + b + " # the old one\r\n", ""},
		{"", "holds no secret"},
		{"# nothing\n", "holds no secret"},
		{a + "\n" + a[:31], ":2: a secret is 32 hexadecimal digits"},
		{a + "0", ":1: a secret is"},
		{strings.Repeat("x", 32), ":1: a secret is"},
	} {
		secrets, err := readSecrets(writeFile(t, path, c.text))
		switch {
		case c.err == "" && (err != nil || len(secrets) == 0 || secrets[0] != nameserver.Secret{0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf}):
			t.Errorf("%q: %x, %v", c.text, secrets, err)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || secrets != nil):
			t.Errorf("%q: error %v, want %q", c.text, err, c.err)
		case err != nil && strings.Contains(err.Error(), a[:8]):
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	if _, err := readSecrets(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
