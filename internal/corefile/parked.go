package corefile

import (
	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
)

// parked DIR
func (r *reader) setupParked(c *caddy.Controller) error {
	b := r.block(c)
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf(`parked needs one folder, the output of "nullspf zones"`)
		}
		b.Parked = true
		b.stored = append(b.stored, "parked")
		return setGlobal(r, c, "parked", &r.config.Parked, &nameserver.Parked{Dir: args[0]})
	})
}
