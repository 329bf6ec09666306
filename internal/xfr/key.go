package xfr

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"os"
	"regexp"
	"strings"

	"nullspf/internal/wire"
)

// Key is a shared secret (RFC 8945).
type Key struct {
	Name wire.Name
	// Algorithm is one of [Algorithms].
	Algorithm wire.Name
	Secret    []byte
}

// hashes are those of the algorithms (RFC 8945 section 6). HMAC-MD5, whose use
// is forbidden there, is not among them.
var hashes = map[wire.Name]func() hash.Hash{
	"\x09hmac-sha1\x00":   sha1.New,
	"\x0bhmac-sha224\x00": sha256.New224,
	"\x0bhmac-sha256\x00": sha256.New,
	"\x0bhmac-sha384\x00": sha512.New384,
	"\x0bhmac-sha512\x00": sha512.New,
}

// Algorithms are the names of the algorithms, for messages.
const Algorithms = "hmac-sha256, hmac-sha512, hmac-sha1, hmac-sha224, hmac-sha384"

// minSecret is the least length of a secret, in octets.
const minSecret = 16

// NewKey returns a key. secret is base64 text, alone or in a key statement as
// tsig-keygen writes it. The error says what is wrong with which part.
func NewKey(name, algorithm, secret string) (*Key, error) {
	k, err := namedKey(name, algorithm)
	if err != nil {
		return nil, err
	}
	if err := k.setSecret(secret); err != nil {
		return nil, err
	}
	return k, nil
}

// namedKey returns a key without secret.
func namedKey(name, algorithm string) (*Key, error) {
	k := &Key{}
	var err error
	if k.Name, err = wire.ParseName(name); err != nil {
		return nil, fmt.Errorf("the key name %q is no domain name", name)
	}
	if k.Algorithm, err = wire.ParseName(algorithm); err != nil || hashes[k.Algorithm] == nil {
		if strings.HasPrefix(strings.ToLower(algorithm), "hmac-md5") {
			return nil, fmt.Errorf("key %s: HMAC-MD5 must not be used any more (RFC 8945 section 6); use hmac-sha256 and a new secret", name)
		}
		return nil, fmt.Errorf("key %s: no algorithm %q; there are %s", name, algorithm, Algorithms)
	}
	return k, nil
}

func (k *Key) setSecret(secret string) (err error) {
	secret = strings.TrimSpace(secret)
	if m := statementSecret.FindStringSubmatch(secret); m != nil {
		secret = m[1]
	}
	k.Secret, err = base64.StdEncoding.DecodeString(secret)
	if err != nil || len(k.Secret) < minSecret {
		return fmt.Errorf("key %s: no secret of at least %d octets in base64, alone or as tsig-keygen writes it", k.Name, minSecret)
	}
	return nil
}

// statementSecret finds the secret in a key statement.
var statementSecret = regexp.MustCompile(`secret\s+"([A-Za-z0-9+/=]+)"\s*;`)

// maxSecretFile bounds a file with a secret, in octets.
const maxSecretFile = 4096

// ReadKey returns a key whose secret is in a file, which nobody but its owner
// and group may read.
func ReadKey(name, algorithm, path string) (*Key, error) {
	k, err := namedKey(name, algorithm)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxSecretFile {
		return nil, fmt.Errorf("key %s: %s is no file with a secret", name, path)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("key %s: others can read %s; chmod 640 it", name, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if err := k.setSecret(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

func (k *Key) mac() hash.Hash { return hmac.New(hashes[k.Algorithm], k.Secret) }

// Keys are keys by name.
type Keys map[wire.Name]*Key
