package config

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/value"
)

// readName reads a name; the fault is noted and "" returned.
func readName[N ~string](l *loader, key, text string, parse func(string) (N, error)) N {
	if text == "" {
		l.fail(key, "a name is missing")
		return ""
	}
	name, err := parse(text)
	if err != nil {
		l.fail(key, "%q: %v", text, err)
	}
	return name
}

func (l *loader) hostName(key, text string) dnsname.Name {
	return readName(l, key, text, dnsname.ParseHost)
}

func (l *loader) zoneName(key, text string) dnsname.Name {
	return readName(l, key, text, dnsname.Parse)
}

func (l *loader) mailbox(key, text string) dnsname.Mailbox {
	return readName(l, key, text, dnsname.ParseMailbox)
}

func (l *loader) hostNames(key string, texts []string) []dnsname.Name {
	var names []dnsname.Name
	for i, t := range texts {
		if n := l.hostName(item(key, i), t); n != "" {
			names = append(names, n)
		}
	}
	return names
}

func (l *loader) addresses(key string, texts []string) []netip.Addr {
	return values(l, key, texts, value.ParseAddr)
}

func (l *loader) endpoints(key string, texts []string) []netip.AddrPort {
	return values(l, key, texts, value.ParseEndpoint)
}

// listener reads an address with port; "" is none.
func (l *loader) listener(key, text string) netip.AddrPort {
	if text == "" {
		return netip.AddrPort{}
	}
	at, err := value.ParseAddrPort(text)
	if err != nil {
		l.fail(key, "%v", err)
	}
	return at
}

func (l *loader) prefixes(key string, texts []string) []netip.Prefix {
	return values(l, key, texts, value.ParsePrefix)
}

// values reads the items of a key; those at fault are noted and left out.
func values[T any](l *loader, key string, texts []string, parse func(string) (T, error)) []T {
	var list []T
	for i, t := range texts {
		v, err := parse(t)
		if err != nil {
			l.fail(item(key, i), "%v", err)
			continue
		}
		list = append(list, v)
	}
	return list
}

func (l *loader) duration(key, text string) time.Duration {
	d, err := value.ParseDuration(text)
	if err != nil {
		l.fail(key, "%v", err)
	}
	return d
}

// flag reads a boolean; "" gives the default.
func (l *loader) flag(key, text string, fallback bool) bool {
	if text == "" {
		return fallback
	}
	on, ok := parseFlag(text)
	if !ok {
		l.fail(key, "%q is neither true nor false", text)
		return fallback
	}
	return on
}

// parseFlag reads true or false; ok is false when the text is neither.
func parseFlag(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}

// choose reads one of several words; "" when it is none of them.
func choose[T ~string](l *loader, key, text string, words []T) T {
	var listed strings.Builder
	for i, w := range words {
		if strings.EqualFold(text, string(w)) {
			return w
		}
		if i > 0 {
			listed.WriteString(", ")
		}
		listed.WriteString(string(w))
	}
	l.fail(key, "%q is not one of %s", text, &listed)
	return ""
}

// path makes a path absolute, relative to the directory of the file.
func path(dir, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

func item(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
