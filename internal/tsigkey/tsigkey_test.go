package tsigkey

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	secretA = "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE="
	secretB = "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5IG9jdGV0cw=="
	// twoKeys are what cat makes of two files of tsig-keygen.
	twoKeys = "key \"a.example\" {\n\talgorithm hmac-sha512;\n\tsecret \"" + secretA + "\";\n};\n" +
		"key \"b.example\" {\n\talgorithm hmac-sha256;\n\tsecret \"" + secretB + "\";\n};\n"
)

func keyText(algorithm, secret string) string {
	return fmt.Sprintf("key \"a.example\" { algorithm %s; secret %q; };\n", algorithm, secret)
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		name           string
		text           string
		key, algorithm string // as configured
		want           string // algorithm and secret, or
		fault          string
	}{
		{name: "secret alone", text: secretA + "\n", key: "a.example", want: "hmac-sha256 " + secretA},
		{name: "secret alone, algorithm configured", text: " \n" + secretA, key: "a.example", algorithm: "hmac-sha384", want: "hmac-sha384 " + secretA},
		{name: "secret alone, on two lines", text: secretA[:20] + "\r\n" + secretA[20:] + "\r\n", key: "a.example", want: "hmac-sha256 " + secretA},
		{name: "secret alone, that reads as a comment", text: "//" + secretA[2:], key: "a.example", want: "hmac-sha256 //" + secretA[2:]},

		{name: "by name, first", text: twoKeys, key: "a.example", want: "hmac-sha512 " + secretA},
		{name: "by name, second", text: twoKeys, key: "B.Example.", want: "hmac-sha256 " + secretB},
		{name: "the file's algorithm", text: keyText("HMAC-SHA512", secretA), key: "a.example", want: "hmac-sha512 " + secretA},
		{name: "the same algorithm", text: twoKeys, key: "a.example", algorithm: "hmac-sha512", want: "hmac-sha512 " + secretA},
		{name: "comments", key: "a.example", want: "hmac-sha256 " + secretA, text: `# key "a.example" { algorithm hmac-sha1; secret "` + secretB + `"; };
// secret "` + secretB + `";
/* key "a.example" {
 * secret "` + secretB + `"; }; */
key/**/"a.example" /* { */ { // }
	secret /* secret "` + secretB + `"; */ "` + secretA + `"; # ";
	algorithm hmac-sha256; }; // the end`},
		{name: "without quotes, one line", text: "KEY a.example{Secret " + secretA + ";ALGORITHM \"hmac-sha256\";};", key: "a.example", want: "hmac-sha256 " + secretA},
		{name: "of another key, nothing is checked", text: "key old { algorithm hmac-md5; secret c2hvcnQ=; };" + twoKeys, key: "b.example", want: "hmac-sha256 " + secretB},

		{name: "empty", text: " \n", key: "a.example", fault: ": key a.example: the secret is missing"},
		{name: "short", text: "c2hvcnQ=", key: "a.example", fault: ": key a.example: the secret has 5 bytes; at least 16 are needed"},
		{name: "not base64", text: secretA + "=", key: "a.example", fault: ": key a.example: the secret is not base64"},
		{name: "bits behind the end", text: strings.Replace(secretA, "ISE=", "ISF=", 1), key: "a.example", fault: ": key a.example: the secret is not base64"},
		{name: "other name", text: twoKeys, key: "c.example", fault: ": no key c.example in the file; its keys are a.example, b.example"},
		{name: "other algorithm", text: "\n" + twoKeys, key: "a.example", algorithm: "hmac-sha256", fault: ":2: key a.example: the file says hmac-sha512, the configuration hmac-sha256; make them agree"},
		{name: "MD5 in the file", text: keyText("hmac-md5.sig-alg.reg.int", secretA), key: "a.example", fault: ":1: key a.example: HMAC-MD5 must not be used any more (RFC 8945 section 6); use hmac-sha256 and a new secret"},
		{name: "unknown algorithm", text: keyText("hmac-sha256-128", secretA), key: "a.example", fault: `:1: key a.example: not a TSIG algorithm: "hmac-sha256-128"; use hmac-sha256, or one of hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512`},
		{name: "short in the file", text: keyText("hmac-sha256", "c2hvcnQ="), key: "a.example", fault: ":1: key a.example: the secret has 5 bytes; at least 16 are needed"},
		{name: "secret in a comment only", text: "# " + secretA + "\n", key: "a.example", fault: ":2: no key, only comments; a file holds the secret alone, in base64, or what tsig-keygen prints"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := choose([]byte(c.text), c.key, c.algorithm)
			switch {
			case c.fault != "":
				if err == nil || err.Error() != c.fault || k.Secret != nil {
					t.Errorf("%+v, %v\nwant %s", k, err, c.fault)
				}
			case err != nil:
				t.Error(err)
			case k.Name != strings.TrimSuffix(strings.ToLower(c.key), ".") || k.Algorithm+" "+base64.StdEncoding.EncodeToString(k.Secret) != c.want:
				t.Errorf("%+v, want %s", k, c.want)
			}
		})
	}
}

// TestSyntax: faults name the line, and no part of a secret.
func TestSyntax(t *testing.T) {
	const other = "not a key statement; a file holds the secret alone, in base64, or what tsig-keygen prints: " +
		`key "NAME" { algorithm hmac-sha256; secret "..."; };`
	for text, want := range map[string]string{
		"secret " + secretA + ";":         ":1: " + other,
		"\nserver 192.0.2.1 { keys a; };": ":2: " + other,
		twoKeys + "}":                     ":9: " + other,
		"key a {\nsecret ab/cd; };":       ":2: a / outside of quotes and comments; write a secret in quotes",
		"key {":                           ":1: the name of the key is missing",
		"key \"\" {":                      ":1: the name of the key is missing",
		"key . { secret a; };":            ":1: the key has no name",
		"key a\n;":                        ":2: { is missing after the name of key \"a\"",
		"key a {\n\talgorithm hmac-sha256\n\tsecret b; };": ":3: ; is missing after the algorithm of key \"a\"",
		"key a {\n\tsecret;":                       ":2: the secret of key a is missing",
		"key a { secret " + secretA + "; };":       ":1: key \"a\" has no algorithm",
		"key a {\nalgorithm b;\n};":                ":1: key \"a\" has no secret",
		"key a { secret b; \nsecret c; };":         ":2: key \"a\" has a second secret",
		"key a { algorithm b; secret c; }":         ":1: ; is missing after key \"a\"",
		"key a { algorithm b; secret c; ":          ":1: } is missing after the clauses of key \"a\"",
		"key a { " + secretA + "; };":              ":1: key \"a\" contains something other than algorithm and secret",
		"key a { \"secret\" b; };":                 ":1: } is missing after the clauses of key \"a\"",
		"\n/* key a":                               ":2: a comment is not closed",
		"key a { secret \"" + secretA:              ":1: a string without closing quote on its line, or with a backslash",
		"key a { secret \"" + secretA + "\n\"; };": ":1: a string without closing quote on its line, or with a backslash",
		"key \"a\\\"\" {":                          ":1: a string without closing quote on its line, or with a backslash",
		twoKeys + strings.ToUpper("key \"A.EXAMPLE.\"") + keyText("a", "b")[len(`key "a.example"`):]: ":9: key \"a.example\" is already on line 1",
	} {
		got, err := parse([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v\nwant %s", text, got, err, want)
		}
	}
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tsig.key")
	if err := os.WriteFile(path, []byte(twoKeys), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, fault := range map[fs.FileMode]string{
		0o600: "", 0o640: "", 0o400: "", 0o440: "",
		0o644: "the file is open to every user of this machine (mode 0644): chmod 640 ",
		0o604: "the file is open to every user of this machine (mode 0604): chmod 600 ",
		0o666: "the file is open to every user of this machine (mode 0666): chmod 640 ",
		0o602: "the file is open to every user of this machine (mode 0602): chmod 600 ",
		0o660: "the file can be changed by its group (mode 0660): chmod 640 ",
		0o620: "the file can be changed by its group (mode 0620): chmod 600 ",
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		k, err := ReadFile(path, "b.example", "")
		switch {
		case fault != "":
			if want := path + ": " + fault + path; err == nil || err.Error() != want || k.Secret != nil {
				t.Errorf("mode %o: %v\nwant %s", mode, err, want)
			}
		case err != nil:
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	large, fifo := filepath.Join(dir, "large"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(large, bytes.Repeat([]byte("\n"), maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := ReadFile(path, "A.example.", "HMAC-SHA512."); err != nil || k.Name != "a.example" || k.Algorithm != "hmac-sha512" {
		t.Errorf("%+v, %v", k, err)
	}
	for _, algorithm := range []string{"hmac-md5", "md5"} {
		if _, err := ReadFile(path, "a.example", algorithm); err == nil || !strings.HasPrefix(err.Error(), "key a.example: ") {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
	for _, c := range []struct{ path, key, fault string }{
		{path, "c.example", path + ": no key c.example in the file; its keys are a.example, b.example"},
		{large, "a.example", large + ": not a regular file of at most 65536 bytes"},
		{fifo, "a.example", fifo + ": not a regular file of at most 65536 bytes"},
		{dir, "a.example", dir + ": not a regular file of at most 65536 bytes"},
		{path + "2", "a.example", path + "2: there is no such file; to make a key: (umask 077; set -C; tsig-keygen a.example >" + path + "2)"},
	} {
		done := make(chan error, 1)
		go func() {
			_, err := ReadFile(c.path, c.key, "")
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || err.Error() != c.fault {
				t.Errorf("%v\nwant %s", err, c.fault)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: reading waits", c.path)
		}
	}
}

// FuzzParse: no panic, no half key without an error, and what is read is read
// again from the way tsig-keygen writes it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		secretA, twoKeys, keyText("hmac-sha256", secretA), "key a{secret b;algorithm c;};", "key/**/a{secret b#\n;//\nalgorithm\"c\";};",
		"/*", "\"", "key a {", "key \"a\\\"\" {", "server 192.0.2.1 { keys a; };",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		statements, err := parse(text)
		if err == nil && len(statements) == 0 {
			t.Fatal("neither a key nor an error")
		}
		if err != nil {
			return
		}
		var b bytes.Buffer
		for i, s := range statements {
			if s.name == "" || s.algorithm == "" || s.secret == "" {
				t.Fatalf("half a key: %+v", s)
			}
			fmt.Fprintf(&b, "key \"%s\" {\n\talgorithm \"%s\";\n\tsecret \"%s\";\n};\n", s.name+".", s.algorithm, s.secret)
			statements[i].line = 1 + 4*i
		}
		again, err := parse(b.Bytes())
		if err != nil || !slices.Equal(again, statements) {
			t.Fatalf("%+v\nagain %+v, %v", statements, again, err)
		}
	})
}
