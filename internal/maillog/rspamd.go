package maillog

import (
	"strings"
)

// rspamd reads what rspamd writes about each message:
//
//	#PID(normal) <tag>; task; rspamd_task_write_log: id: <Message-ID>, qid: <QID>, ip: IP, from: <sender>,
//	(default: F|T (action): [score/limit] [SYMBOL(score){options;},...]), len: ..., rcpts: <>, mime_rcpts: <>
//	[, forced: action "why"; ...]
//
// in one line. The Message-ID and what symbols show is chosen by the sender: a line in which ip:
// stands more than once is bad. Refused is what has the action reject or soft reject.
type rspamd struct{}

// taskWord stands before what is told of a message.
const taskWord = "; task; rspamd_task_write_log: "

func (rspamd) line(p *Parser, h *head) Outcome {
	_, text, ok := strings.Cut(h.message, taskWord)
	if !ok {
		return IsOther
	}
	_, forced, _ := strings.Cut(text[max(strings.LastIndex(text, ", mime_rcpts: "), 0):], ", forced: ")
	_, rest, found := strings.Cut(text, ", ip: ")
	if !found {
		return IsOther
	}
	before := text[:len(text)-len(rest)]
	ip, rest, _ := strings.Cut(rest, ", ")
	envelope, metric, found := strings.Cut(rest, "(default: ")
	if !found {
		return IsOther
	}
	_, action, _ := strings.Cut(metric, " (")
	action, symbols, _ := strings.Cut(action, "): [")
	if action != "reject" && action != "soft reject" {
		return IsOther
	}
	r := Refusal{Software: Rspamd, Client: address(ip), Cause: Spam}
	if strings.Contains(rest, ", ip: ") || !r.Client.IsValid() {
		return IsBad
	}
	if from, ok := strings.CutPrefix(envelope, "from: <"); ok {
		r.Sender = strings.TrimSuffix(from, ">, ")
	}
	if at := strings.LastIndex(text, ", rcpts: <"); at >= 0 {
		rcpts, _, _ := strings.Cut(text[at+len(", rcpts: <"):], ">, mime_rcpts: ")
		r.Recipient, _, _ = strings.Cut(rcpts, ",")
	}
	switch {
	case strings.Contains(forced, "DMARC"):
		r.Cause = DMARC
	case action == "soft reject":
		r.Cause = causeOf(forced, Temporary)
		if strings.Contains(symbols, "GREYLIST(") {
			r.Cause = Greylist
		}
	}
	id := ""
	if at := strings.LastIndex(before, ", qid: <"); at >= 0 {
		id, _, _ = strings.Cut(before[at+len(", qid: <"):], ">")
	}
	return p.milter(id, r)
}
