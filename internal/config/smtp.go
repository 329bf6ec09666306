package config

import (
	"slices"

	"nullspf/internal/value"
	"nullspf/named"
	"nullspf/nolisting"
)

// buildSMTP reads the listener of nullspfd that never accepts mail; nil is none.
func (l *loader) buildSMTP(dir string, r rawSMTP) *named.SMTP {
	const key = "nullspfd.smtp"
	s := new(named.SMTP)
	s.Listen = values(l, key+".listen", r.Listen, value.ParseAddrPort)
	for i, at := range s.Listen {
		if slices.Contains(s.Listen[:i], at) {
			l.fail(key+".listen", "%s is given twice", at)
		}
	}
	if r.Mode != "" {
		s.Mode = string(choose(l, key+".mode", r.Mode, []nolisting.Mode{nolisting.Defer, nolisting.Refuse}))
	}
	if r.At != "" {
		s.At = string(choose(l, key+".at", r.At, []nolisting.Stage{nolisting.AtRecipient, nolisting.AtData, nolisting.AtConnect}))
	}
	if s.Mode == string(nolisting.Refuse) && s.At != "" && s.At != string(nolisting.AtRecipient) {
		l.fail(key+".at", "mode refuse decides by the recipient; remove the key, or write rcpt")
	}
	if r.Tarpit != "" {
		if s.Tarpit = l.duration(key+".tarpit", r.Tarpit); s.Tarpit > nolisting.MaxTarpit {
			l.fail(key+".tarpit", "%s is longer than senders wait; write %s at most", r.Tarpit, value.FormatDuration(nolisting.MaxTarpit))
		}
	}
	switch {
	case r.Certificate != "" && r.Key != "":
		s.Certificate, s.Key = path(dir, r.Certificate), path(dir, r.Key)
	case r.Certificate+r.Key != "":
		l.fail(key, "STARTTLS needs both certificate and key")
	}
	if r.Connections != "" {
		n, err := value.ParseCount(r.Connections, nolisting.MaxConnections)
		if err != nil {
			l.fail(key+".connections", "%v", err)
		}
		s.Connections = n
	}
	if len(s.Listen) > 0 {
		return s
	}
	if r.Mode+r.At+r.Tarpit+r.Certificate+r.Key+r.Connections != "" && len(r.Listen) == 0 {
		l.fail(key+".listen", "write the addresses and ports at which it listens, such as 192.0.2.26:25")
	}
	return nil
}
