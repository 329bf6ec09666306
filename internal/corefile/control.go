package corefile

import (
	"errors"

	"nullspf/internal/control"
)

// control PATH
func readControl(s *statements) error {
	return s.once(func(args []string) error {
		if len(args) != 1 {
			return errors.New("write the path of one socket, such as /run/nullspf/control.sock")
		}
		if err := control.CheckPath(args[0]); err != nil {
			return err
		}
		return setGlobal(s, &s.file.config.Control, args[0])
	})
}
