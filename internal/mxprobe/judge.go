package mxprobe

import (
	"fmt"
	"strings"
	"time"

	"nullspf/nolisting"
)

// Level says how bad a finding is.
type Level string

// The levels. Mail is lost, bounced or let through where it should not with
// [Error]; it is late, or could not be looked at, with [Warning].
const (
	Error   Level = "error"
	Warning Level = "warning"
	Note    Level = "note"
)

// Finding is something about a host that is not as its role promises.
type Finding struct {
	Level  Level  `json:"level"`
	Reason string `json:"reason"`
}

// judge holds a session against the role of the host.
func judge(t *Target, s *Session) []Finding {
	j := judgement{target: t, session: s}
	switch t.Role {
	case nolisting.Dead:
		j.dead()
	case nolisting.TempFail:
		j.tempFail()
	default:
		j.live()
	}
	return j.findings
}

type judgement struct {
	target   *Target
	session  *Session
	findings []Finding
}

func (j *judgement) add(level Level, format string, args ...any) {
	j.findings = append(j.findings, Finding{level, fmt.Sprintf(format, args...)})
}

// unreachable tells what keeps a connection from being opened, apart from refusal.
func (j *judgement) unreachable() {
	j.add(Warning, "there is no way to the address from here (%s); probe from a machine that reaches it", j.session.Error)
}

// dead hosts must refuse: what senders do otherwise is the table of docs/mail.md.
func (j *judgement) dead() {
	s := j.session
	switch s.Connect {
	case Refused:
		return
	case Dropped:
		j.add(Warning, "connections are dropped, not refused: Postfix waits 30 s with each message, Exim, OpenSMTPD, sendmail and dma 120 to 135 s; let the firewall reject with a TCP reset")
		return
	case Unreachable:
		j.unreachable()
		return
	}
	switch {
	case s.Greeting.Code == 220:
		j.add(Error, "a mail server answers (%s): mail that it takes is lost, mail that it refuses bounces; nothing may listen on port 25 of a dead host", s.Greeting)
	case s.Greeting.class() == 4:
		j.add(Error, "the host greets with %s: this is a tempfail host, at which some senders end their attempt; it must refuse connections", s.Greeting)
	case s.Greeting.class() == 5:
		j.add(Error, "the host greets with %s: dma bounces the mail at once; it must refuse connections", s.Greeting)
	default:
		j.add(Error, "the host takes connections without a greeting (%s): senders may wait 5 minutes for it (RFC 5321 section 4.5.3.2.1), and not every one goes on to the next host; it must refuse connections", s.Greeting)
	}
}

func (j *judgement) tempFail() {
	s := j.session
	switch s.Connect {
	case Refused, Dropped:
		j.add(Warning, "connections are %s: a dead host, which defers nothing", s.Connect)
		return
	case Unreachable:
		j.unreachable()
		return
	}
	switch {
	case s.Greeting.class() == 4:
		return
	case s.Greeting.class() == 5:
		j.add(Error, "the host greets with %s: senders bounce mail instead of trying again", s.Greeting)
		return
	case s.Greeting.Code != 220:
		j.add(Error, "the host takes connections without a greeting (%s)", s.Greeting)
		return
	}
	for _, r := range s.Recipients {
		switch r.Reply.class() {
		case 2:
			j.add(Error, "RCPT TO:<%s> is accepted (%s): mail would be lost; reply 4xx to every recipient", r.Mailbox, r.Reply)
		case 4:
		case 5:
			if r.Kind != Relay {
				j.add(Error, "RCPT TO:<%s> is refused for good (%s): mail bounces that the live hosts would take; reply 4xx", r.Mailbox, r.Reply)
			}
		default:
			j.add(Warning, "RCPT TO:<%s>: %s", r.Mailbox, r.Reply)
		}
	}
}

// live hosts, backups, and hosts whose tier is not known.
func (j *judgement) live() {
	s := j.session
	switch s.Connect {
	case Refused, Dropped:
		if j.target.Role == Unknown {
			j.add(Note, "connections are %s: right for a dead host only", s.Connect)
			return
		}
		j.add(Error, "connections are %s: mail for postmaster does not arrive here", s.Connect)
		return
	case Unreachable:
		j.unreachable()
		return
	}
	if s.Greeting.Code != 220 {
		j.add(Error, "the host does not greet with 220: %s", s.Greeting)
		return
	}
	if s.EHLO.class() != 2 {
		j.add(Error, "EHLO and HELO are refused: %s", s.EHLO)
		return
	}
	for _, r := range s.Recipients {
		j.recipient(r)
	}
	j.tls()
}

func (j *judgement) recipient(r Recipient) {
	class := r.Reply.class()
	switch {
	case class == 0:
		j.add(Error, "RCPT TO:<%s>: %s", r.Mailbox, r.Reply)
	case r.Kind == Postmaster && class == 5:
		j.add(Error, "mail for postmaster is refused (%s); RFC 5321 section 4.5.1 asks for it", r.Reply)
	case r.Kind == Postmaster && class == 4:
		j.add(Warning, "mail for postmaster is deferred (%s); if that is greylisting, probe again in some minutes", r.Reply)
	case r.Kind == Relay && class == 2:
		j.add(Error, "an open relay: RCPT TO:<%s> is accepted (%s)", r.Mailbox, r.Reply)
	case r.Kind == Relay && class == 4:
		j.add(Note, "RCPT TO:<%s> is deferred (%s): relaying is refused, but clients try again", r.Mailbox, r.Reply)
	case r.Kind == Nobody && class == 2:
		j.add(Error, "mail for a mailbox that does not exist is accepted (<%s>: %s): it is lost, or bounces to forged senders later", r.Mailbox, r.Reply)
	case r.Kind == Nobody && class == 4:
		j.add(Error, "mail for a mailbox that does not exist is deferred (<%s>: %s): it comes again for days; refuse with 5xx", r.Mailbox, r.Reply)
	case r.Kind == NobodyBelow && class == 2:
		j.add(Error, "mail for names below the domain is accepted (<%s>: %s); they have the same MX records", r.Mailbox, r.Reply)
	case r.Kind == NobodyBelow && class == 4:
		j.add(Error, "mail for names below the domain is deferred (<%s>: %s): they have the same MX records, and it comes again for days; refuse with 5xx, or set wildcard_mx: false", r.Mailbox, r.Reply)
	}
}

// tls notes what a sender that verifies would find.
func (j *judgement) tls() {
	t := j.session.TLS
	switch {
	case t == nil:
		j.add(Note, "no STARTTLS")
	case t.Version == "":
		j.add(Warning, "STARTTLS fails (%s): senders that require TLS do not deliver", t.Error)
	case t.Error != "":
		j.add(Note, "the certificate for %s, valid until %s, does not verify (%s)", strings.Join(t.Names, ", "), t.NotAfter.Format(time.DateOnly), t.Error)
	}
}
