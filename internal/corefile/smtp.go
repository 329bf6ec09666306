package corefile

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
	"nullspf/nolisting"
)

// smtp ADDRESS:PORT... { ... }
func readSMTP(s *statements) error {
	return s.once(func(args []string) error {
		m := nameserver.DefaultSMTP()
		m.Position = s.position()
		for _, arg := range args {
			at, err := value.ParseAddrPort(arg)
			switch {
			case err != nil:
				return err
			case slices.Contains(m.Listen, at):
				return fmt.Errorf("%s is given twice", at)
			}
			m.Listen = append(m.Listen, at)
		}
		if len(m.Listen) == 0 {
			return errors.New("write the IP addresses and ports of the listener, such as 192.0.2.25:25")
		}
		if err := smtpSettings.read(s, m); err != nil {
			return err
		}
		if m.Mode == nolisting.Refuse && m.At != nolisting.AtRecipient {
			return fmt.Errorf("mode refuse decides by the recipient, and is not possible with \"at %s\"", m.At)
		}
		if old := s.file.config.SMTP; old != nil {
			m.Position = old.Position // of the first
		}
		return setGlobal(s, &s.file.config.SMTP, m)
	})
}

var smtpSettings = settings[*nameserver.SMTP]{
	{name: "mode", set: parsed(word(nolisting.Defer, nolisting.Refuse), func(m *nameserver.SMTP) *nolisting.Mode { return &m.Mode })},
	{name: "at", set: parsed(word(nolisting.AtRecipient, nolisting.AtData, nolisting.AtConnect), func(m *nameserver.SMTP) *nolisting.Stage { return &m.At })},
	{name: "tarpit", set: parsed(parseTarpit, func(m *nameserver.SMTP) *time.Duration { return &m.Tarpit })},
	{name: "tls", set: setCertificate},
	{name: "connections", set: parsed(parseConnections, func(m *nameserver.SMTP) *int { return &m.Connections })},
}

// word makes a parser of one of some words.
func word[W ~string](words ...W) func(string) (W, error) {
	return func(text string) (W, error) {
		if !slices.Contains(words, W(text)) {
			return "", fmt.Errorf("unknown word %q; write one of %v", text, words)
		}
		return W(text), nil
	}
}

func parseTarpit(text string) (time.Duration, error) {
	d, err := value.ParseDuration(text)
	if err == nil && d > nolisting.MaxTarpit {
		err = fmt.Errorf("%s is longer than senders wait; write %s at most", text, value.FormatDuration(nolisting.MaxTarpit))
	}
	return d, err
}

func parseConnections(text string) (int, error) {
	return value.ParseCount(text, nolisting.MaxConnections)
}

func setCertificate(m *nameserver.SMTP, args []string) error {
	if len(args) != 2 {
		return errors.New("write the files of the certificate and of its key")
	}
	m.Cert, m.Key = args[0], args[1]
	return nil
}
