package maillog

import (
	"net/netip"
	"strings"
)

// sendmail reads messages of sendmail:
//
//	[QID: ]ruleset=NAME, arg1=, arg2=, relay=NAME [IP] (may be forged), reject=CODE ENH TEXT
//	QID: <rcpt>... User unknown
//	QID: TEXT
//	QID: Milter: data, reject=CODE ENH TEXT
//	QID: from=<sender>, ..., relay=NAME [IP]
//
// The last one tells client and sender of all before it that have the same QID. Senders and
// recipients may hold anything, also ", relay=": a line that has it more than once waits for
// the last one, whose relay= is at its end, or is bad.
type sendmail struct {
	waiting memory[[]Refusal]
}

// maxWaiting bounds how many refusals of one message wait.
const maxWaiting = 100

func (s *sendmail) line(p *Parser, h *head) Outcome {
	text := h.message
	if strings.HasPrefix(text, "ruleset=") {
		return s.ruleset(p, h, "", text)
	}
	id, text, ok := strings.Cut(text, ": ")
	if !ok || !isQueueID(id) || len(id) < 10 {
		return IsOther
	}
	switch {
	case strings.HasPrefix(text, "ruleset="):
		return s.ruleset(p, h, id, text)
	case strings.HasPrefix(text, "from="):
		return s.from(p, id, text)
	case strings.HasPrefix(text, "Milter: "):
		if _, why, ok := strings.Cut(text, ", reject="); ok {
			return s.wait(h, id, Refusal{Cause: rejectCause(why, Content)})
		}
	case strings.HasPrefix(text, "<") && strings.Contains(text, ">... "):
		if rcpt, rest, ok := path(text[1:]); ok {
			if why, ok := strings.CutPrefix(rest, "... "); ok {
				return s.wait(h, id, Refusal{Recipient: rcpt, Cause: causeOf(why, Other)})
			}
		}
	case strings.HasPrefix(text, "rejecting commands from ") && strings.Contains(text, "] due to pre-greeting traffic"):
		client, _ := relay(text[:strings.LastIndex(text, " due to ")])
		return p.add(Refusal{Software: Sendmail, Client: client, Cause: Protocol})
	case strings.Contains(strings.ToLower(text), "not used for") && !strings.Contains(text, "="):
		return s.wait(h, id, Refusal{Cause: NotUsedForMail})
	}
	return IsOther
}

// ruleset reads the refusal of a ruleset.
func (s *sendmail) ruleset(p *Parser, h *head, id, text string) Outcome {
	name, rest, _ := strings.Cut(strings.TrimPrefix(text, "ruleset="), ", ")
	if !strings.Contains(rest, ", reject=") {
		return IsOther
	}
	r := Refusal{Software: Sendmail}
	arg1, after, _ := strings.Cut(strings.TrimPrefix(rest, "arg1="), ", relay=")
	if strings.Contains(after, ", relay=") {
		if id == "" {
			return IsBad
		}
		_, why, _ := strings.Cut(rest[strings.LastIndex(rest, ", relay="):], ", reject=")
		return s.wait(h, id, Refusal{Cause: rulesetCause(name, why)})
	}
	from, why, _ := strings.Cut(after, ", reject=")
	var ok bool
	if r.Client, ok = relay(from); !ok {
		return IsBad
	}
	r.Cause = rulesetCause(name, why)
	switch name {
	case "check_rcpt":
		r.Recipient = brackets(arg1)
	case "check_mail":
		r.Sender = brackets(arg1)
	case "check_relay":
		// Of a block list, the second argument is its answer.
		_, answer, _ := strings.Cut(arg1, ", arg2=")
		if a := address(answer); a.Is4() && a.As4()[0] == 127 && a != r.Client && r.Cause == AccessList {
			r.Cause = BlockList
		}
	}
	if id != "" && r.Sender == "" {
		return s.wait(h, id, r)
	}
	return p.add(r)
}

// wait keeps a refusal until the line from= comes.
func (s *sendmail) wait(h *head, id string, r Refusal) Outcome {
	r.Software, r.Time, r.Host, r.Recipient = Sendmail, h.time, kept(h.host), kept(r.Recipient)
	r.Cause = Cause(kept(string(r.Cause)))
	list, _ := s.waiting.get(id)
	if len(list) == maxWaiting {
		return IsBad
	}
	s.waiting.remove(id)
	s.waiting.put(id, append(list, r))
	return IsOther
}

// from completes the refusals of a message.
func (s *sendmail) from(p *Parser, id, text string) Outcome {
	list, ok := s.waiting.get(id)
	if !ok {
		return IsOther
	}
	s.waiting.remove(id)
	var client netip.Addr
	if at := strings.LastIndex(text, ", relay="); at >= 0 {
		client, _ = relay(text[at+len(", relay="):])
	}
	sender := strings.TrimPrefix(text, "from=")
	if at := strings.LastIndex(sender, ", size="); at >= 0 {
		sender = sender[:at]
	}
	for _, r := range list {
		if !r.Client.IsValid() {
			r.Client = client
		}
		r.Sender = brackets(sender)
		p.add(r)
	}
	return IsRefusal
}

// relay reads NAME [IP], [IP] or either with (may be forged).
func relay(text string) (client netip.Addr, ok bool) {
	text = strings.TrimSuffix(text, " (may be forged)")
	at := strings.LastIndexByte(text, '[')
	if at < 0 || !strings.HasSuffix(text, "]") {
		return client, false
	}
	client = address(text[at:])
	return client, client.IsValid()
}

// brackets is an address without angle brackets.
func brackets(s string) string {
	if strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") {
		return s[1 : len(s)-1]
	}
	return s
}

// rulesetCause tells the cause by CODE ENH TEXT of a ruleset.
func rulesetCause(name, why string) Cause {
	switch {
	case strings.Contains(why, "Fix reverse DNS"):
		return NoPTR
	case strings.Contains(why, "Possibly forged hostname"):
		return BadPTR
	case strings.Contains(why, "Domain of sender address") && strings.HasSuffix(why, "does not exist"):
		return UnknownSenderDomain
	case strings.HasSuffix(why, "does not resolve"):
		return Temporary
	}
	fallback := AccessList
	if strings.HasPrefix(name, "check_rcpt") || strings.HasPrefix(why, "4") {
		fallback = ""
	}
	return rejectCause(why, fallback)
}

// rejectCause tells the cause by CODE ENH TEXT.
func rejectCause(why string, fallback Cause) Cause {
	if fallback == "" {
		fallback = Other
		if strings.HasPrefix(why, "4") {
			fallback = Temporary
		}
	}
	// An address may stand before the text.
	if at := strings.LastIndex(why, ">... "); at >= 0 {
		why = why[at:]
	}
	return causeOf(why, fallback)
}
