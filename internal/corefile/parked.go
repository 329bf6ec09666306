package corefile

import (
	"errors"

	"nullspf/internal/nameserver"
)

// parked DIR
func readParked(s *statements) error {
	return s.once(func(args []string) error {
		if len(args) != 1 {
			return errors.New(`write one directory, the output of "nullspf zones"`)
		}
		s.block.Parked = true
		s.block.stored = append(s.block.stored, s.name)
		return setGlobal(s, &s.file.config.Parked, &nameserver.Parked{Dir: args[0]})
	})
}
