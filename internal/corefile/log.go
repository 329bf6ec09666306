package corefile

import "nullspf/internal/nameserver"

// log: every query.
func readLog(s *statements) error { return s.setLog(nameserver.LogAll) }

// errors: what is answered with an error.
func readErrors(s *statements) error { return s.setLog(nameserver.LogErrors) }

func (s *statements) setLog(mode nameserver.LogMode) error {
	return s.once(func(args []string) error {
		if len(args) > 0 {
			return unexpected(args[0])
		}
		c := &s.file.config
		c.Log = max(c.Log, mode)
		return nil
	})
}
