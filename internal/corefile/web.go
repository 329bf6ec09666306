package corefile

import (
	"errors"
	"net/netip"

	"nullspf/internal/value"
)

// metrics ADDRESS:PORT
func readMetrics(s *statements) error { return readPage(s, &s.file.config.Metrics) }

// health ADDRESS:PORT
func readHealth(s *statements) error { return readPage(s, &s.file.config.Health) }

func readPage(s *statements, target *netip.AddrPort) error {
	return s.once(func(args []string) error {
		if len(args) != 1 {
			return errors.New("write one IP address and port, such as 127.0.0.1:9153")
		}
		at, err := value.ParseAddrPort(args[0])
		if err != nil {
			return err
		}
		return setGlobal(s, target, at)
	})
}
