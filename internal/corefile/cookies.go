package corefile

import (
	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
)

// cookies off, or cookies FILE...
func (r *reader) setupCookies(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		var k nameserver.Cookies
		switch {
		case len(args) == 0:
			return c.Errf(`cookies needs files of secrets, or "off"`)
		case len(args) == 1 && args[0] == "off":
			k.Off = true
		default:
			for _, arg := range args {
				secrets, err := nameserver.ReadSecrets(arg)
				if err != nil {
					return c.Err(err.Error())
				}
				k.Secrets = append(k.Secrets, secrets...)
			}
			if len(k.Secrets) > nameserver.MaxSecrets {
				return c.Errf("cookies: %d secrets; %d are allowed", len(k.Secrets), nameserver.MaxSecrets)
			}
		}
		return setGlobal(r, c, "cookies", &r.config.Cookies, k)
	})
}
