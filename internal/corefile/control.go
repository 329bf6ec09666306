package corefile

import (
	"github.com/coredns/caddy"

	"nullspf/internal/control"
)

// control PATH
func (r *reader) setupControl(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("control needs the path of one socket, such as /run/nullspf/control.sock")
		}
		if err := control.CheckPath(args[0]); err != nil {
			return c.Err(err.Error())
		}
		return setGlobal(r, c, "control", &r.config.Control, args[0])
	})
}
