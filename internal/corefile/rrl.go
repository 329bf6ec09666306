package corefile

import (
	"fmt"

	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
)

// rrl off, or rrl { ... }
func (r *reader) setupLimit(c *caddy.Controller) error {
	l := &r.block(c).Limit
	return once(c, func(args []string) error {
		if len(args) == 1 && args[0] == "off" {
			l.Rate = 0
			return nil
		}
		if len(args) > 0 {
			return c.Errf(`rrl: unexpected %q; write "rrl off", or its settings in a block`, args[0])
		}
		return options(c, func(key string, args []string) error { return setLimit(l, key, args) })
	})
}

func setLimit(l *nameserver.RateLimit, key string, args []string) error {
	switch key {
	case "rate":
		if len(args) != 1 {
			return fmt.Errorf("rate needs a number of answers a second")
		}
		n, err := value.ParseCount(args[0], 1e9)
		if err != nil {
			return fmt.Errorf("rate: %w", err)
		}
		l.Rate = n
	case "exempt":
		if len(args) == 0 {
			return fmt.Errorf("exempt needs networks, such as 192.0.2.0/24")
		}
		for _, arg := range args {
			p, err := value.ParsePrefix(arg)
			if err != nil {
				return fmt.Errorf("exempt: %w", err)
			}
			l.Exempt = append(l.Exempt, p)
		}
	default:
		return fmt.Errorf("unknown setting %q of rrl; there are rate and exempt", key)
	}
	return nil
}
