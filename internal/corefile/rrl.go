package corefile

import (
	"fmt"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
)

// rrl off, or rrl { ... }
func readLimit(s *statements) error {
	l := &s.block.Limit
	return s.once(func(args []string) error {
		switch {
		case len(args) == 1 && args[0] == "off":
			l.Rate = 0
			return nil
		case len(args) > 0:
			return fmt.Errorf(`unexpected %q; write "rrl off", or its settings in a block`, args[0])
		}
		return limitSettings.read(s, l)
	})
}

var limitSettings = settings[*nameserver.RateLimit]{
	{name: "rate", set: parsed(parseRate, func(l *nameserver.RateLimit) *int { return &l.Rate })},
	{name: "exempt", set: setExempt},
}

// parseRate reads a number of answers a second.
func parseRate(text string) (int, error) { return value.ParseCount(text, 1e9) }

func setExempt(l *nameserver.RateLimit, args []string) error {
	for _, arg := range args {
		p, err := value.ParsePrefix(arg)
		if err != nil {
			return err
		}
		l.Exempt = append(l.Exempt, p)
	}
	return nil
}
