package web

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// Hash is the bcrypt hash of a password: $2b$12$..., as nullspf web passwd and htpasswd -B
// make it. It is never shown.
type Hash string

// String hides the hash from whatever prints settings.
func (h Hash) String() string {
	if h == "" {
		return ""
	}
	return "(a hash)"
}

// GoString does so for %#v.
func (h Hash) GoString() string { return h.String() }

const (
	// MaxPassword is the length of a password that bcrypt takes, in bytes; MinPassword
	// what a person is asked for at least.
	MaxPassword = 72
	MinPassword = 10
	// hashCost is that of new hashes: some 0.2 s. Hashes of less than leastCost could be
	// guessed, and those of more than greatestCost are too slow to try.
	hashCost     = 12
	leastCost    = 10
	greatestCost = 14
)

// NewHash makes the hash of a password.
func NewHash(password []byte) (Hash, error) {
	if n := len(password); n < MinPassword || n > MaxPassword {
		return "", fmt.Errorf("the password has %d bytes; take %d to %d", n, MinPassword, MaxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword(password, hashCost)
	return Hash(hash), err
}

// ParseHash reads a hash. The error does not show it.
func ParseHash(text string) (Hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	switch {
	case err != nil || len(text) != 60:
		return "", errors.New("that is no bcrypt hash; let nullspf web passwd make one")
	case cost < leastCost || cost > greatestCost:
		return "", fmt.Errorf("the hash has the cost %d; use %d to %d, or let nullspf web passwd make one", cost, leastCost, greatestCost)
	}
	return Hash(text), nil
}

// fits reports whether a password has a hash.
func (h Hash) fits(password string) bool {
	if len(password) > MaxPassword {
		// Bytes after those would not count; as much work as for others is done.
		password = password[:MaxPassword]
		_ = bcrypt.CompareHashAndPassword([]byte(h), []byte(password))
		return false
	}
	return bcrypt.CompareHashAndPassword([]byte(h), []byte(password)) == nil
}
