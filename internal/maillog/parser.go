package maillog

import (
	"cmp"
	"slices"
	"strings"

	"nullspf/internal/logtime"
)

// Outcome is what a line is.
type Outcome int

// The outcomes.
const (
	// IsOther: no refusal.
	IsOther Outcome = iota
	// IsRefusal: the line completes refusals.
	IsRefusal
	// IsDouble: a refusal that was there already.
	IsDouble
	// IsBad: a refusal that cannot be read, or can be read in several ways.
	IsBad
)

// Parser reads the lines of logs, those of one file after those of another.
type Parser struct {
	clock *logtime.Clock
	found []Refusal

	postfix postfix
	send    sendmail
	exim    exim
	smtpd   opensmtpd
	rspamd  rspamd
	// milters are the queue IDs that Postfix and rspamd have refused.
	milters memory[Software]
}

// Begin begins a file, whose local times the clock reads.
func (p *Parser) Begin(clock *logtime.Clock) {
	p.clock = clock
	p.exim.begin()
}

// Line reads a line, without its end, and returns the refusals that it completes, which are
// valid until the next call.
func (p *Parser) Line(line []byte) ([]Refusal, Outcome) {
	p.found = p.found[:0]
	h, ok := readHead(line, p.clock)
	if !ok {
		return nil, IsOther
	}
	what := p.message(&h)
	for i := range p.found {
		r := &p.found[i]
		if r.Time == 0 {
			r.Time = h.time
		}
		if r.Host == "" {
			r.Host = h.host
		}
	}
	return p.found, what
}

// Rest returns the refusals that wait for a line that has not come, in order of time. They lack
// what it would tell.
func (p *Parser) Rest() (list []Refusal) {
	for _, m := range []map[string][]Refusal{p.send.waiting.fresh, p.send.waiting.old} {
		for _, waiting := range m {
			list = append(list, waiting...)
		}
	}
	slices.SortFunc(list, func(a, b Refusal) int { return cmp.Compare(a.Time, b.Time) })
	return list
}

// message reads a message by the program that has written it.
func (p *Parser) message(h *head) Outcome {
	if h.own {
		switch {
		case strings.HasPrefix(h.message, "#") || strings.Contains(h.message, taskWord):
			return p.rspamd.line(p, h)
		case isSession([]byte(h.message)):
			return p.smtpd.line(p, h)
		}
		return p.exim.line(p, h)
	}
	service := h.program[strings.LastIndexByte(h.program, '/')+1:]
	switch {
	case service != h.program:
		return p.postfix.line(p, h, service)
	case h.program == "sendmail" || strings.HasPrefix(h.program, "sm-"):
		return p.send.line(p, h)
	case strings.HasPrefix(h.program, "exim"):
		return p.exim.line(p, h)
	case h.program == "smtpd":
		return p.smtpd.line(p, h)
	case h.program == "rspamd":
		return p.rspamd.line(p, h)
	}
	return IsOther
}

// add adds a refusal.
func (p *Parser) add(r Refusal) Outcome {
	p.found = append(p.found, r)
	return IsRefusal
}

// milter adds the refusal of a message with a queue ID, unless the other program did: of
// Postfix and rspamd that it has asked.
func (p *Parser) milter(id string, r Refusal) Outcome {
	if id != "" && id != "NOQUEUE" {
		if software, ok := p.milters.get(id); ok && software != r.Software {
			p.milters.remove(id)
			return IsDouble
		}
		p.milters.put(id, r.Software)
	}
	return p.add(r)
}

// memory remembers values by key, the newest maxMemory at least. A key or text that is kept
// is cut to maxKept bytes.
type memory[V any] struct {
	fresh, old map[string]V
}

const (
	maxMemory = 1 << 14
	maxKept   = 1024
)

func kept(s string) string { return strings.Clone(s[:min(len(s), maxKept)]) }

func (m *memory[V]) get(key string) (v V, ok bool) {
	key = key[:min(len(key), maxKept)]
	if v, ok = m.fresh[key]; !ok {
		v, ok = m.old[key]
	}
	return v, ok
}

func (m *memory[V]) put(key string, v V) {
	if len(m.fresh) >= maxMemory {
		m.old, m.fresh = m.fresh, nil
	}
	if m.fresh == nil {
		m.fresh = make(map[string]V)
	}
	m.fresh[kept(key)] = v
}

func (m *memory[V]) remove(key string) {
	key = key[:min(len(key), maxKept)]
	delete(m.fresh, key)
	delete(m.old, key)
}

// between is what stands between two texts, the first of them at the begin of s.
func between(s, before, after string) (text, rest string, ok bool) {
	if s, ok = strings.CutPrefix(s, before); !ok {
		return "", "", false
	}
	return strings.Cut(s, after)
}

// path reads a path of SMTP without its angle brackets, up to the closing one: in a local part
// in quotation marks, any characters may stand.
func path(s string) (text, rest string, ok bool) {
	i := 0
	if strings.HasPrefix(s, `"`) {
		for i = 1; i < len(s) && s[i] != '"'; i++ {
			if s[i] == '\\' {
				i++
			}
		}
		if i >= len(s) {
			return "", "", false
		}
	}
	end := strings.IndexByte(s[i:], '>')
	if end < 0 {
		return "", "", false
	}
	return s[:i+end], s[i+end+1:], true
}
