package config

import (
	"net/netip"
	"time"

	"nullspf/internal/evidence/tier"
	"nullspf/internal/value"
)

// maxExpiry is longer than journals keep events by default.
const maxExpiry = 10 * 365 * 24 * time.Hour

// maxCap is more than any consumer of a list loads.
const maxCap = 100_000_000

// buildEvidence reads what counts as evidence. The files that it names are read when
// they are needed.
func (l *loader) buildEvidence(dir string, r *rawEvidence) tier.Settings {
	s := tier.DefaultSettings()
	for _, name := range l.hostNames("evidence.reporters", r.Reporters) {
		s.Reporters = append(s.Reporters, string(name))
	}
	s.Allow = l.sources(dir, "evidence.allow", r.Allow)
	s.Public = l.sources(dir, "evidence.public_resolvers", r.PublicResolvers)
	if r.Expiry != "" {
		s.Expiry = l.duration("evidence.expiry", r.Expiry)
		if (s.Expiry < time.Hour || s.Expiry > maxExpiry) && !l.told("evidence.expiry") {
			l.fail("evidence.expiry", "write a time from 1h to 3650d; the default is %s", value.FormatDuration(tier.DefaultSettings().Expiry))
		}
	}
	if r.Cap != "" {
		var err error
		if s.Cap, err = value.ParseCount(r.Cap, maxCap); err != nil {
			l.fail("evidence.cap", "%v", err)
		}
	}
	s.TestAddresses = l.flag("evidence.allow_test_addresses", r.AllowTestAddresses, false)
	return s
}

// sources reads prefixes and paths of files of prefixes.
func (l *loader) sources(dir, key string, texts []string) (list []tier.Source) {
	for i, text := range texts {
		at := item(key, i)
		p, err := value.ParsePrefix(text)
		switch {
		case err == nil:
			list = append(list, tier.Source{Prefix: p, Place: at})
		case text == "" || isPrefix(text):
			l.fail(at, "%v; or name a file of prefixes", err)
		default:
			list = append(list, tier.Source{File: path(dir, text)})
		}
	}
	return list
}

// isPrefix reports whether a text has the form of a prefix, though none of ours.
func isPrefix(text string) bool {
	_, err := netip.ParsePrefix(text)
	return err == nil
}
