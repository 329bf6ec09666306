package tsigkey

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxFile bounds a file, in bytes.
const maxFile = 64 << 10

// ReadFile reads the key of a given name from a file. The algorithm is that of
// the file. One given by the configuration must be the same, and holds for a
// file with nothing but the secret; without either it is [defaultAlgorithm].
// Errors
// about the file begin with its path.
func ReadFile(path, name, algorithm string) (Key, error) {
	if algorithm != "" {
		var err error
		if algorithm, err = ParseAlgorithm(algorithm); err != nil {
			return Key{}, fmt.Errorf("key %s: %w", name, err)
		}
	}
	text, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, fmt.Errorf("%s: there is no such file; to make a key: (umask 077; set -C; tsig-keygen %s >%s)", path, name, path)
	}
	if err != nil {
		return Key{}, err
	}
	k, err := choose(text, name, algorithm)
	if err != nil {
		return Key{}, fmt.Errorf("%s%w", path, err)
	}
	return k, nil
}

// readPrivate reads a small regular file that is closed to others.
func readPrivate(path string) ([]byte, error) {
	// Without O_NONBLOCK a FIFO would hold the program up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a regular file of at most %d bytes", path, maxFile)
	}
	if err := checkMode(path, info.Mode().Perm()); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// checkMode refuses a file that others may read, or that anybody but its owner
// may write to.
func checkMode(path string, mode fs.FileMode) error {
	who := ""
	switch {
	case mode&0o007 != 0:
		who = "is open to every user of this machine"
	case mode&0o020 != 0:
		who = "can be changed by its group"
	default:
		return nil
	}
	return fmt.Errorf("%s: the file %s (mode %04o): chmod %o %s", path, who, mode, mode&0o640|0o600, path)
}

// choose returns the key of a given name from the text of a file. The algorithm
// is one of [Algorithms] or "". Errors begin with ":LINE: " or ": ".
func choose(text []byte, name, algorithm string) (Key, error) {
	name = canonical(name)
	if secret, alone := secretAlone(text); alone {
		if algorithm == "" {
			algorithm = defaultAlgorithm
		}
		k, err := New(name, algorithm, secret)
		if err != nil {
			return Key{}, fmt.Errorf(": key %s: %w", name, err)
		}
		return k, nil
	}
	statements, err := parse(text)
	if err != nil {
		return Key{}, err
	}
	names := make([]string, len(statements))
	for i, s := range statements {
		if names[i] = s.name; s.name != name {
			continue
		}
		k, err := New(s.name, s.algorithm, s.secret)
		if err != nil {
			return Key{}, fmt.Errorf(":%d: key %s: %w", s.line, name, err)
		}
		if algorithm != "" && algorithm != k.Algorithm {
			return Key{}, fmt.Errorf(":%d: key %s: the file says %s, the configuration %s; make them agree", s.line, name, k.Algorithm, algorithm)
		}
		return k, nil
	}
	return Key{}, fmt.Errorf(": no key %s in the file; its keys are %s", name, strings.Join(names, ", "))
}

// secretAlone returns the text when it may be base64 and nothing else. A
// secret with a wrong length is reported as such, not as a broken statement.
func secretAlone(text []byte) (string, bool) {
	text = bytes.TrimSpace(text)
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '+', c == '/', c == '=', c == '\n', c == '\r':
		default:
			return "", false
		}
	}
	return string(text), true
}
