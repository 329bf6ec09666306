package spftrack

import (
	"bytes"
	"net/netip"
	"strings"

	"nullspf/internal/ascii"
)

// classicHead is what stands left of %{s} in a classic name.
type classicHead struct {
	// fr is the index of FR, -1 when there is none where it can stand.
	fr int
	// ip is invalid when labels of it are missing.
	ip netip.Addr
	// whole: CL and all of the address are there.
	whole bool
}

// head reads CL.%{i}.FR, or what a cut left of it.
func (l *labels) head() classicHead {
	none := classicHead{fr: -1}
	first := 0
	if l.is(0, "cl") {
		first = 1
	}
	fr := first
	colons, isColons := netip.Addr{}, false
	if first < l.Count {
		colons, isColons = l.colons(first)
	}
	if isColons {
		fr++
	}
	for !isColons && fr < l.Count && fr-first <= 32 && len(l.at(fr)) <= len("255") && !l.is(fr, "fr") {
		fr++
	}
	if fr == l.Count || !l.is(fr, "fr") {
		return none
	}
	h := classicHead{fr: fr}
	n := fr - first
	v4, is4 := l.octets(first, n)
	v6, is6 := l.nibbles(first, n)
	bytes, isBytes := l.bytes(first, n)
	switch {
	case isColons:
		h.ip = colons.Unmap()
	case v6.IsValid():
		h.ip = v6.Unmap()
	case bytes.IsValid() && !is6:
		h.ip = bytes.Unmap()
	case v4.IsValid() && (first == 1 || !is6):
		h.ip = v4
	case !is4 && !is6 && !isBytes:
		return none
	}
	if first == 1 && !h.ip.IsValid() {
		return none
	}
	h.whole = first == 1
	return h
}

// parseClassic reads a classic name, or the right part of one. Its fields
// stand in the wrong order for a cut: the address goes first, then the local
// part. Whatever stands leftmost in a name that may have been cut, even CL, may
// come from the middle of a local part or HELO that a forger wrote to look
// like a beginning, so all such names are flagged.
func (p *Parser) parseClassic(l *labels, head classicHead, qtype uint16) (parsed Parsed) {
	parsed.ClientIP = head.ip
	from := head.fr + 1
	he, ambiguous := p.splitSender(l, from)
	if ambiguous {
		parsed.Flags |= FlagAmbiguous
	}
	if he < 0 {
		// No layout word is left: all of it belongs to HELO.
		parsed.ClientIP, parsed.Flags = netip.Addr{}, 0
		parsed.settle(l, KindClassic, false, nextText, qtype)
		if parsed.Kind == KindClassic {
			parsed.HELO = l.part(0, l.Count)
		}
		return parsed
	}
	parsed.settle(l, KindClassic, head.whole, nextText, qtype)
	parsed.HELO = heloLiteral(l.part(he+1, l.Count))
	sender := l.part(from, he)
	local, domain, found := cutSender(sender)
	switch {
	case found:
		parsed.SenderLocal, parsed.SenderDomain = local, domain
		if !strings.Contains(sender, "@") {
			parsed.SenderLocal, parsed.HELO = unescapeURL(local), unescapeURL(parsed.HELO)
		}
	case head.whole || p.within(sender):
		// Some software sends the bare HELO name for a null reverse-path.
		parsed.SenderDomain = sender
	}
	if parsed.Kind != KindClassic && head.fr < 0 {
		parsed.SenderLocal = ""
	}
	if parsed.Kind != KindClassic && !head.whole && !found {
		parsed.SenderDomain, parsed.HELO = "", ""
	}
	parsed.Forged = parsed.SenderDomain
	return parsed
}

// splitSender finds HE between %{s}, which begins at from, and %{h}; -1 when
// there is none. Of several it takes the leftmost that leaves an "@" in the
// sender, because a domain of ours seldom holds the label, unless known tells
// which sender has one of our domains. A sender without "@" is likeliest to
// equal HELO.
func (p *Parser) splitSender(l *labels, from int) (he int, ambiguous bool) {
	last := l.lastWord("he")
	if last < from {
		return -1, false
	}
	at := hasAt(l.between(from, last))
	he = -1
	n, hits := 0, 0
	for i := from; i <= last; i++ {
		if !l.is(i, "he") {
			continue
		}
		sender := l.between(from, i)
		if at && !hasAt(sender) {
			continue
		}
		if !at && bytes.Equal(sender, l.between(i+1, l.Count)) {
			return i, false
		}
		if n++; n == 1 {
			he = i
		}
		if p.known == nil || i == last && n == 1 {
			continue
		}
		if _, domain, _ := cutSender(string(sender)); p.within(domain) {
			if hits++; hits == 1 {
				he = i
			}
		}
	}
	return he, n > 1 && hits != 1
}

func hasAt(sender []byte) bool {
	return bytes.IndexByte(sender, '@') >= 0 || bytes.Contains(sender, []byte("%40"))
}

// cutSender splits a sender at the last "@", or at the last "%40" when it
// arrived URL-escaped. Without either, all of it is the domain.
func cutSender(sender string) (local, domain string, found bool) {
	if i := strings.LastIndexByte(sender, '@'); i >= 0 {
		return sender[:i], sender[i+1:], true
	}
	if i := strings.LastIndex(sender, "%40"); i >= 0 {
		return sender[:i], sender[i+3:], true
	}
	return "", sender, false
}

// unescapeURL resolves %XX (RFC 3986 section 2.1) and leaves everything else.
// The result is lower case like its input.
func unescapeURL(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			hi, ok1 := hexDigit(s[i+1])
			lo, ok2 := hexDigit(s[i+2])
			if ok1 && ok2 {
				c = ascii.Lower(hi<<4 | lo)
				i += 2
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// hexDigit returns the value of a lower-case hexadecimal digit.
func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
