package corefile

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"nullspf/internal/value"
)

// bind ADDRESS...
func readBind(s *statements) error {
	b := s.block
	return s.once(func(args []string) error {
		if len(args) == 0 {
			return errors.New("write IP addresses, such as 192.0.2.1")
		}
		for _, arg := range args {
			a, err := value.ParseAddr(arg)
			if err != nil {
				return err
			}
			if slices.Contains(b.bind, a) {
				return fmt.Errorf("%s is given twice", a)
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
