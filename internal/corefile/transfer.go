package corefile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
	"nullspf/internal/xfr"
)

// transfer { ... }
func readTransfer(s *statements) error {
	return s.once(func(args []string) error {
		if err := noArguments(args); err != nil {
			return err
		}
		s.block.stored = append(s.block.stored, s.name)
		t := &nameserver.Transfer{}
		if err := transferSettings.read(s, &transferRules{t, s.file.config.Keys}); err != nil {
			return err
		}
		if len(t.To) == 0 {
			return errors.New("no secondaries; write a line such as: to 192.0.2.2 key xfr.example.net")
		}
		return setGlobal(s, &s.file.config.Transfer, t)
	})
}

// transferRules are rules that are read, with the keys that are known.
type transferRules struct {
	*nameserver.Transfer
	keys xfr.Keys
}

var transferSettings = settings[*transferRules]{
	{name: "to", repeated: true, set: addTransferRule},
	{name: "notify", repeated: true, set: addNotifyRule},
	{name: "source", set: func(t *transferRules, args []string) error { return readSource(&t.Source, args) }},
}

func addTransferRule(t *transferRules, args []string) error {
	args, key, err := cutKey(t.keys, args)
	if err != nil {
		return err
	}
	r := nameserver.TransferRule{Key: key}
	for _, arg := range args {
		p, err := value.ParsePrefix(arg)
		if err != nil {
			return err
		}
		if p.Bits() == 0 && key == "" {
			return fmt.Errorf("%s lets anybody transfer the zones; name networks, or a key", p)
		}
		r.Prefixes = append(r.Prefixes, p)
	}
	if len(r.Prefixes) == 0 {
		return errors.New("an address is missing")
	}
	t.To = append(t.To, r)
	return nil
}

func addNotifyRule(t *transferRules, args []string) error {
	args, key, err := cutKey(t.keys, args)
	if err != nil {
		return err
	}
	r := nameserver.NotifyRule{Key: key}
	for _, arg := range args {
		a, err := parseServer(arg)
		if err != nil {
			return err
		}
		r.Addresses = append(r.Addresses, a)
	}
	if len(r.Addresses) == 0 {
		return errors.New("an address is missing")
	}
	t.Notify = append(t.Notify, r)
	return nil
}

// parseServer reads the address of a server, with a port or without.
func parseServer(text string) (netip.AddrPort, error) {
	at, err := value.ParseEndpoint(text)
	if err == nil && at.Addr().IsUnspecified() {
		err = fmt.Errorf("%s is not the address of one server", at.Addr())
	}
	return at, err
}

// readSource reads the addresses from which other servers are asked.
func readSource(source *[]netip.Addr, args []string) error {
	for _, arg := range args {
		a, err := value.ParseAddr(arg)
		switch {
		case err != nil:
			return err
		case a.IsUnspecified():
			return fmt.Errorf("%s is not an address of this machine", a)
		case slices.ContainsFunc(*source, func(b netip.Addr) bool { return a.Is4() == b.Is4() }):
			return errors.New("two addresses of one family; one IPv4 and one IPv6 address are possible")
		}
		*source = append(*source, a)
	}
	if len(*source) == 0 {
		return errors.New("an address is missing")
	}
	return nil
}
