package maillog

import (
	"hash/maphash"
	"strings"
)

// exim reads messages of Exim's main and reject log:
//
//	[ID ]H=NAME (HELO) [IP] F=<sender> [temporarily ]rejected RCPT <rcpt>: TEXT
//	[ID ]H=[IP] rejected connection in "connect" ACL: TEXT
//	rejected MAIL from NAME [IP]: TEXT
//
// H= has no NAME without PTR record, and no HELO when that is the same. The reject log has the
// same lines again, and the header of a message in lines without time.
//
// One refusal counts once. By way of syslog, where main and reject log come together, a line
// that follows the same line of its process is of the other one. Of files, a line counts as
// often as the file has it that has it most often.
type exim struct {
	// noHost are the addresses that have no PTR record, as the main log tells, and verified
	// what was wrong with the sender of a client.
	noHost   memory[bool]
	verified memory[Cause]
	// last is the line before of each process, and whether it was there twice.
	last memory[lastLine]
	// here counts the lines of the present file, most those of the file that has them most
	// often.
	here, most map[uint64]uint8
	seed       maphash.Seed
}

type lastLine struct {
	text  string
	twice bool
}

// maxLines bounds how many lines of files are remembered.
const maxLines = 1 << 20

func (x *exim) begin() {
	if x.most == nil {
		x.most, x.seed = make(map[uint64]uint8), maphash.MakeSeed()
	}
	x.here = make(map[uint64]uint8)
}

func (x *exim) line(p *Parser, h *head) Outcome {
	text := h.message
	if !h.own {
		text = numbered(text)
		if _, rest, ok := p.clock.Plain([]byte(text)); ok {
			text = strings.TrimPrefix(string(rest), " ")
		}
	}
	if pid, rest, ok := between(text, "[", "] "); ok && strings.Trim(pid, "0123456789") == "" {
		text = rest
	}
	if x.note(text) {
		return IsOther
	}
	r, ok := x.refusal(text)
	if !ok {
		return IsOther
	}
	if x.double(h, text) {
		return IsDouble
	}
	if !r.Client.IsValid() {
		return IsBad
	}
	return p.add(r)
}

// numbered is a line without the number of a part, [1\14] , which long ones have in syslog.
func numbered(text string) string {
	if number, rest, ok := between(text, "[", "] "); ok && strings.Trim(number, `0123456789\/`) == "" {
		return rest
	}
	return text
}

// note takes in what comes before a refusal.
func (x *exim) note(text string) bool {
	if ip, ok := strings.CutPrefix(text, "no host name found for IP address "); ok {
		x.noHost.put(address(ip).String(), true)
		return true
	}
	c, rest, ok := clientOf(text)
	if !ok {
		return false
	}
	sender, ok := strings.CutPrefix(rest, " sender verify fail for <")
	if !ok {
		return false
	}
	sender, why, _ := path(sender)
	cause := SenderVerify
	switch {
	case strings.Contains(why, "Unrouteable address"):
		cause = UnknownSenderDomain
	case strings.Contains(why, "indicated no SMTP service"):
		cause = NullMXSender
	}
	x.verified.put(c.Client.String()+" "+sender, cause)
	return true
}

// clientOf reads H=NAME (HELO) [IP], also behind the ID of a message, and with a port.
func clientOf(text string) (r Refusal, rest string, ok bool) {
	r.Software = Exim
	if hasID := !strings.HasPrefix(text, "H="); hasID && (len(text) > 16 && text[16] == ' ' && text[6] == '-' || len(text) > 23 && text[23] == ' ' && text[6] == '-') {
		_, text, _ = strings.Cut(text, " ")
	}
	text, ok = strings.CutPrefix(text, "H=")
	if !ok {
		return r, "", false
	}
	name := ""
	if !strings.HasPrefix(text, "(") && !strings.HasPrefix(text, "[") {
		if name, text, ok = strings.Cut(text, " "); !ok {
			return r, "", false
		}
	}
	r.HELO = name
	if helo, rest, ok := between(text, "(", ") ["); ok {
		r.HELO, text = helo, "["+rest
	}
	ip, rest, ok := between(text, "[", "]")
	r.Client = address(ip)
	if port, after, isPort := between(rest, ":", " "); isPort && strings.Trim(port, "0123456789") == "" {
		rest = " " + after
	}
	return r, rest, ok
}

// refusal reads a refusal.
func (x *exim) refusal(text string) (r Refusal, ok bool) {
	if r, ok = x.withoutHost(text); ok {
		return r, true
	}
	r, rest, ok := clientOf(text)
	if !ok {
		return r, false
	}
	if before, from, ok := strings.Cut(rest, " F=<"); ok && !strings.Contains(before, " rejected ") {
		if r.Sender, rest, ok = path(from); !ok {
			return r, false
		}
	}
	before, what, ok := strings.Cut(rest, " rejected ")
	if !ok {
		return r, false
	}
	temporary := strings.HasSuffix(before, " temporarily")
	why := ""
	if rcpt, ok := strings.CutPrefix(what, "RCPT <"); ok {
		if r.Recipient, why, ok = path(rcpt); !ok {
			return r, false
		}
		why = strings.TrimPrefix(why, ": ")
	} else {
		what, why, _ = strings.Cut(what, ": ")
	}
	r.Cause = x.cause(what, why, &r, temporary)
	return r, true
}

// withoutHost reads rejected COMMAND from NAME (HELO) [IP]: TEXT.
func (x *exim) withoutHost(text string) (r Refusal, ok bool) {
	text, ok = strings.CutPrefix(text, "rejected ")
	if !ok {
		return r, false
	}
	command, text, ok1 := strings.Cut(text, " from ")
	from, why, ok2 := strings.Cut(text, "]: ")
	_, ip, ok3 := strings.Cut(from, "[")
	if !ok1 || !ok2 || !ok3 {
		return r, false
	}
	r = Refusal{Software: Exim, Client: address(ip)}
	_, argument, found := strings.Cut(why, "syntactically invalid argument(s): ")
	if found {
		r.HELO = argument
	}
	r.Cause = x.cause(command, why, &r, false)
	return r, true
}

// cause tells the cause by what was refused and the text, which is the operator's.
func (x *exim) cause(what, why string, r *Refusal, temporary bool) Cause {
	fallback := Other
	switch {
	case temporary:
		fallback = Temporary
	case strings.HasPrefix(what, "connection"):
		fallback = AccessList
	case strings.HasPrefix(what, "EHLO") || strings.HasPrefix(what, "HELO") || strings.HasPrefix(why, "no HELO/EHLO given"):
		return BadHELO
	case strings.HasPrefix(what, "after DATA") || strings.HasPrefix(what, "during MIME"):
		fallback = Content
	}
	if strings.HasPrefix(why, "Sender verify failed") {
		if cause, ok := x.verified.get(r.Client.String() + " " + r.Sender); ok {
			return cause
		}
		return SenderVerify
	}
	cause := causeOf(why, fallback)
	if cause == ReverseDNS {
		_, none := x.noHost.get(r.Client.String())
		switch {
		case temporary:
			return Temporary
		case none:
			return NoPTR
		}
	}
	return cause
}

// double reports whether a line is one that was there already.
func (x *exim) double(h *head, text string) bool {
	if !h.own {
		last, _ := x.last.get(h.process)
		if last.text == kept(text) && !last.twice {
			x.last.put(h.process, lastLine{last.text, true})
			return true
		}
		x.last.put(h.process, lastLine{kept(text), false})
		return false
	}
	var sum maphash.Hash
	sum.SetSeed(x.seed)
	sum.WriteString(text)
	maphash.WriteComparable(&sum, h.time)
	key := sum.Sum64()
	if len(x.here) >= maxLines || len(x.most) >= maxLines {
		clear(x.here)
		clear(x.most)
	}
	x.here[key] = min(x.here[key], 254) + 1
	if x.here[key] <= x.most[key] {
		return true
	}
	x.most[key] = x.here[key]
	return false
}
