package corefile

import (
	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
)

// log: every question.
func (r *reader) setupLog(c *caddy.Controller) error {
	return r.setupLogMode(c, "log", nameserver.LogAll)
}

// errors: what is answered with an error.
func (r *reader) setupErrors(c *caddy.Controller) error {
	return r.setupLogMode(c, "errors", nameserver.LogErrors)
}

func (r *reader) setupLogMode(c *caddy.Controller, name string, mode nameserver.LogMode) error {
	return once(c, func(args []string) error {
		if len(args) > 0 {
			return c.Errf("%s: unexpected %q", name, args[0])
		}
		r.config.Log = max(r.config.Log, mode)
		return nil
	})
}
