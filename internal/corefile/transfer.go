package corefile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
	"nullspf/internal/tsigkey"
	"nullspf/internal/value"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// tsig NAME [ALGORITHM] FILE, as often as there are keys
func (r *reader) setupKeys(c *caddy.Controller) error {
	for c.Next() {
		args := c.RemainingArgs()
		k, err := readKey(args)
		if err != nil {
			return c.Errf("tsig: %v", err)
		}
		if r.config.Keys == nil {
			r.config.Keys = make(xfr.Keys)
		}
		at := position(c)
		if _, ok := r.config.Keys[k.Name]; ok && r.global["tsig "+string(k.Name)] != at {
			return c.Errf("tsig: key %s is given at %s already", k.Name, r.global["tsig "+string(k.Name)])
		}
		r.global["tsig "+string(k.Name)] = at
		r.config.Keys[k.Name] = k
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

// transfer { ... }
func (r *reader) setupTransfer(c *caddy.Controller) error {
	b := r.block(c)
	return once(c, func(args []string) error {
		if len(args) > 0 {
			return c.Errf("transfer: unexpected %q; its settings stand in a block", args[0])
		}
		b.stored = append(b.stored, "transfer")
		t := &nameserver.Transfer{}
		for c.NextBlock() {
			if err := setTransfer(t, r.config.Keys, c.Val(), c.RemainingArgs()); err != nil {
				return c.Errf("transfer: %v", err)
			}
		}
		if len(t.To) == 0 {
			return c.Errf("transfer: nobody may transfer; write a line such as: to 192.0.2.2 key xfr.example.net")
		}
		return setGlobal(r, c, "transfer", &r.config.Transfer, t)
	})
}

func setTransfer(t *nameserver.Transfer, keys xfr.Keys, setting string, args []string) error {
	args, key, err := cutKey(keys, args)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	if len(args) == 0 {
		return fmt.Errorf("%s needs addresses", setting)
	}
	switch setting {
	case "to":
		r := nameserver.TransferRule{Key: key}
		for _, arg := range args {
			p, err := value.ParsePrefix(arg)
			if err != nil {
				return fmt.Errorf("to: %w", err)
			}
			if p.Bits() == 0 && key == "" {
				return fmt.Errorf("to: %s lets anybody transfer the zones; name networks, or a key", p)
			}
			r.Prefixes = append(r.Prefixes, p)
		}
		t.To = append(t.To, r)
	case "notify":
		r := nameserver.NotifyRule{Key: key}
		for _, arg := range args {
			a, err := parseServer(arg)
			if err != nil {
				return fmt.Errorf("notify: %w", err)
			}
			r.Addresses = append(r.Addresses, a)
		}
		t.Notify = append(t.Notify, r)
	default:
		return fmt.Errorf("unknown setting %q; there are to and notify", setting)
	}
	return nil
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

// parseServer reads the address of a server, with a port or without.
func parseServer(text string) (netip.AddrPort, error) {
	at, err := value.ParseEndpoint(text)
	if err == nil && at.Addr().IsUnspecified() {
		err = fmt.Errorf("%s is not the address of one server", at.Addr())
	}
	return at, err
}
