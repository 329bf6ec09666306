// Package tsigkey reads the files that hold the secrets of TSIG keys (RFC
// 8945). A file is either the secret alone, in base64, or one or more key
// statements of BIND, as tsig-keygen prints them:
//
//	// for transfers
//	key "xfr.example.net" {
//		algorithm hmac-sha256;
//		secret "…";
//	};
//
// The statements are read as BIND reads them: with comments in the styles of
// C, C++ and shell, words in quotes or without, in any order. Nobody but the
// owner and the group of a file may read it, and nobody but the owner write to
// it. No error holds any part of a secret. The package imports nothing of this
// module.
package tsigkey

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Key is a TSIG key.
type Key struct {
	// Name is a domain name in lower case, without final dot.
	Name string
	// Algorithm is one of [Algorithms].
	Algorithm string
	// Secret has at least [minSecret] bytes.
	Secret []byte
}

// Algorithms are those of RFC 8945 section 6 that BIND, NSD, Knot DNS and
// nullspfd know. HMAC-MD5 is not among them: its use is forbidden there.
var Algorithms = []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}

// defaultAlgorithm is the one where neither file nor configuration names any.
const defaultAlgorithm = "hmac-sha256"

// minSecret is the least length of a secret, in bytes.
const minSecret = 16

// New returns a key. The secret is base64.
func New(name, algorithm, secret string) (Key, error) {
	k := Key{Name: canonical(name)}
	var err error
	if k.Algorithm, err = ParseAlgorithm(algorithm); err != nil {
		return Key{}, err
	}
	if k.Secret, err = ParseSecret(secret); err != nil {
		return Key{}, err
	}
	return k, nil
}

// ParseAlgorithm reads the name of an algorithm, in upper or lower case, with
// final dot or without, and returns it as written in [Algorithms].
func ParseAlgorithm(text string) (string, error) {
	switch algorithm := canonical(text); {
	case slices.Contains(Algorithms, algorithm):
		return algorithm, nil
	case strings.HasPrefix(algorithm, "hmac-md5"):
		return "", fmt.Errorf("HMAC-MD5 must not be used any more (RFC 8945 section 6); use %s and a new secret", defaultAlgorithm)
	}
	return "", fmt.Errorf("not a TSIG algorithm: %q; use %s, or one of %s", text, defaultAlgorithm, strings.Join(Algorithms, ", "))
}

// ParseSecret decodes a secret from base64, which may be on several lines.
func ParseSecret(text string) ([]byte, error) {
	secret, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case text == "":
		return nil, fmt.Errorf("the secret is missing")
	case err != nil:
		return nil, fmt.Errorf("the secret is not base64")
	case len(secret) < minSecret:
		return nil, fmt.Errorf("the secret has %d bytes; at least %d are needed", len(secret), minSecret)
	}
	return secret, nil
}

// canonical is the form of names of keys and of algorithms in a [Key].
func canonical(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }
