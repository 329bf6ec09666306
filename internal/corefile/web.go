package corefile

import (
	"net/netip"

	"github.com/coredns/caddy"

	"nullspf/internal/value"
)

// metrics ADDRESS:PORT
func (r *reader) setupMetrics(c *caddy.Controller) error {
	return r.setupWeb(c, "metrics", &r.config.Metrics)
}

// health ADDRESS:PORT
func (r *reader) setupHealth(c *caddy.Controller) error {
	return r.setupWeb(c, "health", &r.config.Health)
}

func (r *reader) setupWeb(c *caddy.Controller, name string, target *netip.AddrPort) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("%s needs one IP address and port, such as 127.0.0.1:9153", name)
		}
		at, err := value.ParseAddrPort(args[0])
		if err != nil {
			return c.Errf("%s: %v", name, err)
		}
		return setGlobal(r, c, name, target, at)
	})
}
