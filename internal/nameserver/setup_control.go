package nameserver

import (
	"github.com/coredns/caddy"

	"nullspf/internal/control"
)

// control PATH
func (f *corefile) setupControl(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("control needs the path of one socket, such as /run/nullspf/control.sock")
		}
		if err := control.CheckPath(args[0]); err != nil {
			return c.Err(err.Error())
		}
		return setGlobal(f, c, "control", &f.config.Control, args[0])
	})
}
