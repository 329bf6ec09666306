package maillog

import (
	"net/netip"
	"strings"
)

// postfix reads messages of Postfix's smtpd, postscreen and cleanup:
//
//	QID: reject: STAGE from NAME[IP]: CODE ENH TEXT; from=<> to=<> proto= helo=<>
//
// postscreen has commas between the last ones, a port, and no name; cleanup says
// milter-reject and has no code. At CONNECT and EHLO some are missing. Nothing is quoted: TEXT
// holds what a block list says, and senders, recipients and HELO names any characters. So the
// last ones are looked for from the right.
type postfix struct {
	// warned are the addresses whose host names a process has complained about.
	warned memory[warning]
}

type warning struct {
	client netip.Addr
	cause  Cause
}

func (f *postfix) line(p *Parser, h *head, service string) Outcome {
	switch service {
	case "smtpd", "postscreen", "cleanup":
	default:
		return IsOther
	}
	if f.note(h) {
		return IsOther
	}
	id, text, ok := strings.Cut(h.message, ": ")
	if !ok || !isQueueID(id) {
		return IsOther
	}
	text, rejected := strings.CutPrefix(text, "reject: ")
	if !rejected {
		if text, rejected = strings.CutPrefix(text, "milter-reject: "); !rejected {
			return IsOther
		}
	}
	_, text, ok1 := strings.Cut(text, " from ")
	_, text, ok2 := strings.Cut(text, "[")
	ip, text, ok3 := strings.Cut(text, "]")
	_, text, ok4 := strings.Cut(text, ": ") // a port may stand before it
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return IsBad
	}
	r := Refusal{Software: Postfix, Client: address(ip)}
	attributes(&text, &r, service == "postscreen")
	r.Cause = f.cause(text, &r, h.process)
	if service == "cleanup" {
		return p.milter(id, r)
	}
	return p.add(r)
}

// note takes in what comes before a refusal.
func (f *postfix) note(h *head) bool {
	if text, ok := strings.CutPrefix(h.message, "warning: hostname "); ok {
		_, text, _ = strings.Cut(text, " does not resolve to address ")
		ip, why, _ := strings.Cut(text, ": ")
		w := warning{address(ip), BadPTR}
		if strings.HasPrefix(why, "Temporary") {
			w.cause = Temporary
		}
		f.warned.put(h.process, w)
		return true
	}
	if strings.HasPrefix(h.message, "disconnect from ") {
		f.warned.remove(h.process)
		return true
	}
	return false
}

// attributes takes sender, recipient and HELO name from the end of a text.
func attributes(text *string, r *Refusal, commas bool) {
	comma := ""
	if commas {
		comma = ","
	}
	cut := func(before, after string) (value string, ok bool) {
		at := strings.LastIndex(*text, before)
		if at < 0 || !strings.HasSuffix(*text, after) || len(*text) < at+len(before)+len(after) {
			return "", false
		}
		value = (*text)[at+len(before) : len(*text)-len(after)]
		*text = (*text)[:at]
		return value, true
	}
	r.HELO, _ = cut(" helo=<", ">")
	*text = strings.TrimSuffix(*text, comma)
	if at := max(strings.LastIndex(*text, " proto="), 0); strings.HasPrefix((*text)[at:], " proto=") {
		*text = strings.TrimSuffix((*text)[:at], comma)
	}
	r.Recipient, _ = cut(" to=<", ">")
	*text = strings.TrimSuffix(*text, comma)
	r.Sender, _ = cut("; from=<", ">")
	*text = strings.TrimSuffix(*text, ";")
}

// reasons stand behind what was refused, and before the reason.
var reasons = []struct {
	text    string
	unknown Cause
}{
	{"Client host rejected: ", AccessList},
	{"Helo command rejected: ", BadHELO},
	{"Sender address rejected: ", AccessList},
	{"Recipient address rejected: ", Other},
}

// cause tells the cause by CODE ENH TEXT.
func (f *postfix) cause(text string, r *Refusal, process string) Cause {
	words := strings.SplitN(text, " ", 3)
	temporary := strings.HasPrefix(text, "4")
	// Of a milter, there is no code.
	for len(words) > 1 && words[0] != "" && strings.Trim(words[0], "0123456789.") == "" {
		words = strings.SplitN(strings.Join(words[1:], " "), " ", 2)
		text = strings.Join(words, " ")
	}
	if rest, ok := strings.CutPrefix(text, "Service unavailable; "); ok {
		// The first words that name a list: what follows is what the list says.
		if _, after, ok := strings.Cut(rest, "] blocked using "); ok {
			if name := zoneName(after); name != "" {
				return blockList(name)
			}
		}
		return BlockList
	}
	if rest, ok := strings.CutPrefix(text, "<"); ok { // what was refused, which may hold anything
		if _, after, ok := path(rest); ok {
			text = after
		}
	}
	at, unknown := -1, Cause("")
	for _, reason := range reasons {
		if i := strings.LastIndex(text, reason.text); i > at {
			at, unknown = i, reason.unknown
			words = []string{text[i+len(reason.text):]}
		}
	}
	if at < 0 {
		return f.plainCause(text, temporary)
	}
	why := words[0]
	switch {
	case strings.HasPrefix(why, "cannot find your hostname"):
		if w, ok := f.warned.get(process); ok && w.client == r.Client {
			return w.cause
		}
		return ReverseDNS
	case strings.HasPrefix(why, "cannot find your reverse hostname"):
		return ReverseDNS
	case strings.HasPrefix(why, "Domain not found") && unknown == AccessList:
		return UnknownSenderDomain
	case strings.HasSuffix(why, "(nullMX)") && unknown == AccessList:
		return NullMXSender
	case strings.HasPrefix(why, "undeliverable address") || strings.HasPrefix(why, "unverified address"):
		if unknown == AccessList {
			return SenderVerify
		}
		return UnknownUser
	case unknown == BadHELO && !strings.HasPrefix(why, "Access denied"):
		return BadHELO
	}
	if unknown == Other && temporary {
		unknown = Temporary
	}
	return causeOf(why, unknown)
}

// plainCause tells the cause by a text without what was refused.
func (f *postfix) plainCause(text string, temporary bool) Cause {
	switch {
	case strings.HasSuffix(text, ": Relay access denied"):
		return RelayDenied
	case strings.HasPrefix(text, "Server configuration "):
		return ServerError
	case strings.HasPrefix(text, "Protocol error"):
		return Protocol
	case strings.HasPrefix(text, "Service currently unavailable") && !temporary:
		return AccessList // of postscreen
	case temporary:
		return causeOf(text, Temporary)
	}
	return causeOf(text, Other)
}

// isQueueID reports whether a text is NOQUEUE or the ID of a message.
func isQueueID(s string) bool {
	return s != "" && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0
}
