package corefile

import (
	"errors"
	"fmt"
	"slices"

	"nullspf/internal/tsigkey"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// tsig NAME [ALGORITHM] FILE, as often as there are keys
func readKeys(s *statements) error {
	f := s.file
	for s.Next() {
		k, err := readKey(s.RemainingArgs())
		if err != nil {
			return err
		}
		if f.config.Keys == nil {
			f.config.Keys = make(xfr.Keys)
		}
		at, place := s.position(), "tsig "+string(k.Name)
		if _, ok := f.config.Keys[k.Name]; ok && f.global[place] != at {
			return fmt.Errorf("key %s is given at %s already", k.Name, f.global[place])
		}
		f.global[place] = at
		f.config.Keys[k.Name] = k
	}
	return nil
}

func readKey(args []string) (*xfr.Key, error) {
	algorithm := "" // that of the file
	if len(args) > 1 {
		if _, err := tsigkey.ParseAlgorithm(args[1]); err == nil || len(args) > 2 {
			algorithm = args[1]
			args = slices.Delete(args, 1, 2)
		}
	}
	if len(args) != 2 {
		return nil, errors.New("write the name of the key, its algorithm if the file does not tell it, and the file: tsig xfr.example.net hmac-sha256 tsig.key")
	}
	name, path := args[0], args[1]
	if _, err := wire.ParseName(name); err != nil {
		return nil, fmt.Errorf("key name %q: %w", name, err)
	}
	k, err := tsigkey.ReadFile(path, name, algorithm)
	if err != nil {
		return nil, err
	}
	return xfr.NewKey(k)
}

// cutKey takes "key NAME" off the end of arguments.
func cutKey(keys xfr.Keys, args []string) (rest []string, key wire.Name, err error) {
	n := len(args)
	if n < 2 || args[n-2] != "key" {
		return args, "", nil
	}
	if key, err = wire.ParseName(args[n-1]); err != nil || keys[key] == nil {
		return nil, "", fmt.Errorf("there is no key %q; define it before with: tsig %s FILE", args[n-1], args[n-1])
	}
	return args[:n-2], key, nil
}
