package config

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/value"
	"nullspf/zones"
)

// hostName reads a host name; the fault is noted and "" returned.
func (l *loader) hostName(key, text string) string {
	if text == "" {
		l.fail(key, "a name is missing")
		return ""
	}
	name, err := zones.ParseName(text)
	if err != nil {
		l.fail(key, "%q: %v", text, err)
		return ""
	}
	return name
}

// zoneName reads the name of a zone, whose labels may begin with "_".
func (l *loader) zoneName(key, text string) string {
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(text), "."), ".")
	for i, label := range labels {
		plain, underscored := strings.CutPrefix(label, "_")
		if !underscored {
			continue
		}
		if _, err := zones.ParseName(plain); err != nil {
			l.fail(key, "%q: %v", text, err)
			return ""
		}
		labels[i] = plain
	}
	if l.hostName(key, strings.Join(labels, ".")) == "" {
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(text), ".")
}

// mailbox reads a mailbox written as a domain name (RFC 1035 section 8) or
// with "@" and returns it as a domain name.
func (l *loader) mailbox(key, text string) string {
	local, domain, ok := strings.Cut(text, "@")
	if ok {
		text = strings.ReplaceAll(local, ".", `\.`) + "." + domain
	}
	for i, r := range text {
		if r <= ' ' || r > '~' || strings.ContainsRune(`"();{}@$`, r) {
			l.fail(key, "%q: character %q is not allowed in a mailbox", text, text[i:i+1])
			return ""
		}
	}
	host := text
	if i := strings.LastIndexByte(text, '\\'); i >= 0 {
		host = text[i+1:]
	}
	if _, parent, ok := strings.Cut(host, "."); !ok || l.hostName(key, parent) == "" {
		if !ok {
			l.fail(key, "%q is no mailbox; write hostmaster.example.net or hostmaster@example.net", text)
		}
		return ""
	}
	return strings.TrimSuffix(strings.ToLower(text), ".")
}

func (l *loader) hostNames(key string, texts []string) []string {
	var names []string
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
	switch strings.ToLower(text) {
	case "":
		return fallback
	case "true", "1", "yes", "on":
		return true
	case "false", "0", "no", "off":
		return false
	}
	l.fail(key, "%q is neither true nor false", text)
	return fallback
}

// choice reads one of several words; "" when it is none of them.
func (l *loader) choice(key, text string, words ...string) string {
	for _, w := range words {
		if strings.EqualFold(text, w) {
			return w
		}
	}
	l.fail(key, "%q is none of %s", text, strings.Join(words, ", "))
	return ""
}

// path makes a path absolute, relative to the folder of the file.
func path(dir, p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(dir, p)
}

func item(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }
