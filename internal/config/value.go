package config

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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
	var addrs []netip.Addr
	for i, t := range texts {
		a, err := netip.ParseAddr(t)
		if err != nil || a.Zone() != "" {
			l.fail(item(key, i), "%q is no IP address", t)
			continue
		}
		addrs = append(addrs, a.Unmap())
	}
	return addrs
}

// endpoints reads addresses with an optional port: "192.0.2.1",
// "192.0.2.1:5300", "2001:db8::1", "[2001:db8::1]:5300".
func (l *loader) endpoints(key string, texts []string) []netip.AddrPort {
	var list []netip.AddrPort
	for i, t := range texts {
		e, err := ParseEndpoint(t)
		if err != nil {
			l.fail(item(key, i), "%v", err)
			continue
		}
		list = append(list, e)
	}
	return list
}

// prefixes reads addresses and prefixes.
func (l *loader) prefixes(key string, texts []string) []netip.Prefix {
	var list []netip.Prefix
	for i, t := range texts {
		if a, err := netip.ParseAddr(t); err == nil && a.Zone() == "" {
			list = append(list, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(t)
		if err != nil || p != p.Masked() {
			l.fail(item(key, i), "%q is no IP address and no prefix like 192.0.2.0/24", t)
			continue
		}
		list = append(list, p)
	}
	return list
}

// units are those of BIND's TTL syntax.
var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// duration reads seconds, or numbers with units: "3600", "1h", "1h30m", "28d".
func (l *loader) duration(key, text string) time.Duration {
	const limit = (1<<31 - 1) * time.Second
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	var sum time.Duration
	rest := strings.ToLower(text)
	for rest != "" {
		digits := 0
		for digits < len(rest) && '0' <= rest[digits] && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.ParseUint(rest[:digits], 10, 31)
		if err != nil || digits == len(rest) || units[rest[digits]] == 0 || time.Duration(n) > (limit-sum)/units[rest[digits]] {
			sum = -1
			break
		}
		sum += time.Duration(n) * units[rest[digits]]
		rest = rest[digits+1:]
	}
	if text == "" || sum < 0 {
		l.fail(key, "%q is no time of at most 2147483647 seconds; write seconds, or numbers with s, m, h, d, w: 1h30m", text)
		return 0
	}
	return sum
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
