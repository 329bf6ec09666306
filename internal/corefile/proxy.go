package corefile

import (
	"errors"
	"net/netip"

	"nullspf/internal/value"
)

// proxy NETWORK...
func readProxy(s *statements) error {
	return s.once(func(args []string) error {
		if len(args) == 0 {
			return errors.New("write the addresses or networks of proxies")
		}
		var networks []netip.Prefix
		for _, arg := range args {
			p, err := value.ParsePrefix(arg)
			if err != nil {
				return err
			}
			if p.Bits() == 0 {
				return errors.New("a network that includes every address lets anybody take any address; name those of the proxies")
			}
			networks = append(networks, p)
		}
		return setGlobal(s, &s.file.config.Proxies, networks)
	})
}
