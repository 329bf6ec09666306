package tsigkey_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nullspf/internal/peers"
	"nullspf/internal/tsigkey"
)

// TestBIND reads what tsig-keygen prints, and what a person may make of it, as
// named-checkconf does; what that refuses is refused.
func TestBIND(t *testing.T) {
	peers.Require(t, "tsig-keygen", "named-checkconf")
	dir := t.TempDir()
	path := filepath.Join(dir, "tsig.key")
	for _, algorithm := range tsigkey.Algorithms {
		made, err := exec.Command("tsig-keygen", "-a", algorithm, "xfr.example.net").Output()
		if err != nil {
			t.Fatal(err)
		}
		text := string(made)
		secret := regexp.MustCompile(`"([^"]{16,})"`).FindStringSubmatch(text)[1]
		for _, edit := range []struct{ name, old, new string }{
			{"as printed", "", ""},
			{"upper case", "xfr.example.net", "XFR.Example.NET."},
			{"no quotes", `"`, ""},
			{"shell comment before", "key", "# key \"old\" { secret \"bnVsbHNwZiBvbGQgc2VjcmV0IG9mIG5vYm9keQ==\"; };\nkey"},
			{"C++ comment before the secret", "\tsecret", "\t// secret \"bnVsbHNwZiBvbGQgc2VjcmV0IG9mIG5vYm9keQ==\";\n\tsecret"},
			{"C comment in between", "secret ", "secret /* \"bnVsbHNwZiBvbGQgc2VjcmV0IG9mIG5vYm9keQ==\"; */"},
			{"comment behind a word", "algorithm " + algorithm, "algorithm " + algorithm + "//\n"},
			{"shell comment behind a word", "algorithm " + algorithm, "algorithm " + algorithm + "#;\n"},
			{"comment behind the name", `"xfr.example.net"`, `xfr.example.net /**/`},
			{"keywords in upper case", "secret", "SECRET"},
			{"blanks", " ", "\n\t \r\n"},
			{"second key", "key", "key other { algorithm hmac-sha256; secret \"bnVsbHNwZiBvbGQgc2VjcmV0IG9mIG5vYm9keQ==\"; };\nkey"},
			{"no end", "\n};", ""},
			{"no last semicolon", "};", "}"},
			{"no semicolon", ";\n\tsecret", "\n\tsecret"},
			{"no secret", "\tsecret \"" + secret + "\";\n", ""},
			{"no algorithm", "\talgorithm " + algorithm + ";\n", ""},
			{"secret twice", "\tsecret \"" + secret + "\";\n", "secret \"" + secret + "\";secret \"" + secret + "\";"},
			{"open comment", "};", "}; /*"},
			{"comment that ends at once", "key", "/*/ key"},
			{"the same name twice", text, text + text},
			{"the same name in upper case", text, text + strings.ToUpper(text)},
			{"bits behind the end", secret[len(secret)-3:], map[bool]string{true: "/==", false: "/w="}[strings.HasSuffix(secret, "==")]},
			{"unknown clause", "\tsecret", "\tsecrets"},
			{"unknown algorithm", algorithm, "hmac-sha3"},
		} {
			text := text
			if edit.old != "" {
				text = strings.ReplaceAll(text, edit.old, edit.new)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("named-checkconf", "-p", path).CombinedOutput()
			want := ""
			if err == nil {
				m := regexp.MustCompile(`(?is)key "xfr\.example\.net\.?" \{\s*algorithm "(.*?)";\s*secret "(.*?)";`).FindStringSubmatch(string(out))
				if m == nil {
					t.Fatalf("%s: named-checkconf says\n%s", edit.name, out)
				}
				want = strings.ToLower(m[1]) + " " + m[2]
			}
			got := ""
			k, kerr := tsigkey.ReadFile(path, "xfr.example.net", "")
			if kerr == nil {
				got = fmt.Sprintf("%s %s", k.Algorithm, base64.StdEncoding.EncodeToString(k.Secret))
			}
			if got != want {
				t.Errorf("%s: %q, %v\nBIND: %q, %s\n%s", edit.name, got, kerr, want, out, text)
			}
		}
	}
}
