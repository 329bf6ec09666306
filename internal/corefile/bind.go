package corefile

import (
	"slices"

	"github.com/coredns/caddy"
	"golang.org/x/sys/unix"

	"nullspf/internal/value"
)

// bind ADDRESS...
func (r *reader) setupBind(c *caddy.Controller) error {
	b := r.block(c)
	return once(c, func(args []string) error {
		if len(args) == 0 {
			return c.Errf("bind needs IP addresses")
		}
		for _, arg := range args {
			a, err := value.ParseAddr(arg)
			if err != nil {
				return c.Errf("bind: %v", err)
			}
			if slices.Contains(b.bind, a) {
				return c.Errf("bind: %s is given twice", a)
			}
			b.bind = append(b.bind, a)
		}
		return nil
	})
}

// hasIPv6 reports whether the kernel knows IPv6.
func hasIPv6() bool {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}
