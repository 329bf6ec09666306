package maillog

import (
	"net/netip"
	"strings"
)

// opensmtpd reads messages of OpenSMTPD, which begin with the number of a session:
//
//	16fd16ce951cab5b smtp connected address=203.0.113.7 host=<unknown>
//	16fd16ce951cab5b smtp failed-command command="RCPT TO:<rcpt>" result="550 TEXT"
//
// The first one tells the client of the others. To standard error they have no time.
type opensmtpd struct {
	clients memory[netip.Addr]
}

func (o *opensmtpd) line(p *Parser, h *head) Outcome {
	session, text, _ := strings.Cut(h.message, " smtp ")
	switch {
	case !isSession([]byte(h.message)):
	case strings.HasPrefix(text, "connected address="):
		ip, _, _ := strings.Cut(strings.TrimPrefix(text, "connected address="), " ")
		o.clients.put(session, address(ip))
	case strings.HasPrefix(text, "disconnected"):
		o.clients.remove(session)
	case strings.HasPrefix(text, `failed-command command="`):
		return o.failed(p, session, strings.TrimPrefix(text, `failed-command command="`))
	}
	return IsOther
}

// failed reads a command and its reply. Of those, only what a client, a sender, a recipient or
// a message was refused with is a refusal.
func (o *opensmtpd) failed(p *Parser, session, text string) Outcome {
	at := strings.LastIndex(text, `" result="`)
	if at < 0 {
		return IsBad
	}
	command, result := text[:at], strings.TrimSuffix(text[at+len(`" result="`):], `"`)
	r := Refusal{Software: OpenSMTPD, Cause: Other}
	upper := strings.ToUpper(command[:min(len(command), 10)])
	switch {
	case strings.HasPrefix(upper, "RCPT TO:"):
		r.Recipient = argument(command)
	case strings.HasPrefix(upper, "MAIL FROM:"):
		r.Sender = argument(command)
	case strings.HasPrefix(upper, "EHLO ") || strings.HasPrefix(upper, "HELO "):
		r.HELO, r.Cause = command[5:], BadHELO
	case upper != "DATA" && upper != ".":
		return IsOther
	}
	code, why, _ := strings.Cut(result, " ")
	switch {
	case strings.HasPrefix(code, "50"):
		return IsOther // a command at the wrong place, or none
	case strings.HasPrefix(why, "Invalid recipient"):
		r.Cause = InvalidRecipient
	case strings.HasPrefix(code, "4"):
		r.Cause = causeOf(why, Temporary)
	default:
		r.Cause = causeOf(why, r.Cause)
	}
	r.Client, _ = o.clients.get(session)
	return p.add(r)
}

// argument is the path of MAIL or RCPT.
func argument(command string) string {
	_, text, _ := strings.Cut(command, ":")
	if text, ok := strings.CutPrefix(strings.TrimLeft(text, " "), "<"); ok {
		if text, _, ok := path(text); ok {
			return text
		}
	}
	return strings.TrimLeft(text, " ")
}
