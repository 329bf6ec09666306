package xfr

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"nullspf/internal/tsigkey"
	"nullspf/internal/wire"
)

// Key is a shared secret (RFC 8945).
type Key struct {
	Name wire.Name
	// Algorithm is one of [tsigkey.Algorithms], as a name.
	Algorithm wire.Name
	Secret    []byte
}

// hashes are those of [tsigkey.Algorithms].
var hashes = map[wire.Name]func() hash.Hash{
	"\x09hmac-sha1\x00":   sha1.New,
	"\x0bhmac-sha224\x00": sha256.New224,
	"\x0bhmac-sha256\x00": sha256.New,
	"\x0bhmac-sha384\x00": sha512.New384,
	"\x0bhmac-sha512\x00": sha512.New,
}

// NewKey returns a key as it signs messages.
func NewKey(k tsigkey.Key) (*Key, error) {
	name, err := wire.ParseName(k.Name)
	if err != nil {
		return nil, fmt.Errorf("key name %q: %w", k.Name, err)
	}
	algorithm, err := wire.ParseName(k.Algorithm)
	if err != nil || hashes[algorithm] == nil {
		return nil, fmt.Errorf("key %s: no algorithm %q", k.Name, k.Algorithm)
	}
	return &Key{Name: name, Algorithm: algorithm, Secret: k.Secret}, nil
}

func (k *Key) mac() hash.Hash { return hmac.New(hashes[k.Algorithm], k.Secret) }

// Keys are keys by name.
type Keys map[wire.Name]*Key
