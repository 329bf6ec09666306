package maillog

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/logtime"
)

var update = flag.Bool("update", false, "write the wanted refusals anew")

func newClock(tb testing.TB) *logtime.Clock {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		tb.Fatal(err)
	}
	return &logtime.Clock{Zone: zone, Changed: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
}

// show is a refusal in a line.
func (r *Refusal) show() string {
	at := "-"
	if r.Time != 0 {
		at = time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano)
	}
	client := "-"
	if r.Client.IsValid() {
		client = r.Client.String()
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\thelo=%s\tfrom=%s\tto=%s", at, r.Host, r.Software, r.Cause, client, r.HELO, r.Sender, r.Recipient)
}

// parse returns the refusals of files, a line each, and how many lines were bad.
func parse(t *testing.T, names ...string) (list []string, bad int) {
	t.Helper()
	var p Parser
	for _, name := range names {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		clock := newClock(t)
		if name == "rspamd.log" {
			clock.Zone = time.UTC
		}
		p.Begin(clock)
		for s := bufio.NewScanner(f); s.Scan(); {
			found, what := p.Line(s.Bytes())
			if (what == IsRefusal) != (len(found) > 0) {
				t.Errorf("%s: %v, %d refusals: %s", name, what, len(found), s.Text())
			}
			if what == IsBad {
				bad++
			}
			for _, r := range found {
				list = append(list, r.show())
			}
		}
	}
	if rest := p.Rest(); len(rest) > 0 {
		t.Errorf("%v: %v waits", names, rest)
	}
	return list, bad
}

// TestSamples: what each mail server has refused of the same connections.
func TestSamples(t *testing.T) {
	t.Parallel()
	for name, count := range map[string]int{
		"postfix.log": 18, "postfix-no-delay-reject.log": 18, "postfix-reverse-only.log": 17, "postfix-traditional-time.log": 18,
		"postfix-milter-rspamd.log": 13, "postfix-postscreen.log": 3, "postfix-journald.json": 7,
		"sendmail.log": 15, "exim-mainlog.log": 20, "exim-rejectlog.log": 20, "exim-syslog.log": 20, "opensmtpd.log": 8, "rspamd.log": 11,
	} {
		list, bad := parse(t, name)
		if bad > 0 || len(list) != count {
			t.Errorf("%s: %d refusals, %d bad", name, len(list), bad)
		}
		golden := filepath.Join("testdata", name+".want")
		text := strings.Join(list, "\n") + "\n"
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || string(want) != text {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// TestTwice: a refusal that stands in two logs counts once; two that are the same are two.
func TestTwice(t *testing.T) {
	t.Parallel()
	main, _ := parse(t, "exim-mainlog.log")
	for _, names := range [][]string{{"exim-mainlog.log", "exim-rejectlog.log"}, {"exim-mainlog.log", "exim-mainlog.log"}} {
		if both, bad := parse(t, names...); bad > 0 || !slices.Equal(both, main) {
			t.Errorf("%v: %q, %d bad", names, both, bad)
		}
	}
	if syslog, _ := parse(t, "exim-syslog.log"); len(syslog) != len(main) {
		t.Errorf("%d by syslog, %d in the main log", len(syslog), len(main))
	}
	const line = "2026-11-27 13:35:22 H=(a) [192.0.2.7] F=<> rejected RCPT <x@y.test>: no reverse DNS"
	if list := parseLines(t, line, line, line); len(list) != 3 {
		t.Errorf("%d refusals of three", len(list))
	}
	const syslog = "2026-11-27T13:35:22+01:00 mx exim[660]: " + line
	if list := parseLines(t, syslog, syslog, syslog, syslog); len(list) != 2 {
		t.Errorf("%d refusals of two", len(list))
	}
	for _, names := range [][]string{{"postfix-milter-rspamd.log", "rspamd.log"}, {"rspamd.log", "postfix-milter-rspamd.log"}} {
		if list, _ := parse(t, names...); len(list) != 13+11-1 {
			t.Errorf("%v: %d refusals", names, len(list))
		}
	}
}

func parseLines(t *testing.T, lines ...string) (list []string) {
	t.Helper()
	var p Parser
	p.Begin(newClock(t))
	for _, line := range lines {
		found, what := p.Line([]byte(line))
		for _, r := range found {
			list = append(list, r.show())
		}
		if what == IsBad {
			list = append(list, "bad")
		}
	}
	return list
}

// TestHostile: what strangers choose makes no other client, cause or list of a refusal.
func TestHostile(t *testing.T) {
	t.Parallel()
	const (
		postfix  = "2026-11-27T13:35:15+01:00 mx postfix/smtpd[1]: "
		sendmail = "2026-11-27T13:35:15+01:00 mx sm-mta[1]: "
		exim     = "2026-11-27 13:35:15 "
		rspamd   = "2026-11-27 13:35:15 #1(normal) <a>; task; rspamd_task_write_log: "
		smtpd    = "2026-11-27T13:35:15+01:00 mx smtpd[1]: 16fd16ce951cab5b smtp "
	)
	for _, c := range []struct {
		what  string
		lines []string
		want  []string
	}{
		{"a list that writes a sender", []string{postfix + `NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.a.test; x blocked using bl.b.test; from=<v@w.test>; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<h>`},
			[]string{"postfix\tblocklist:bl.a.test\t192.0.2.7\thelo=h\tfrom=a@b.test\tto=c@d.test"}},
		{"a recipient that writes a reason", []string{postfix + `NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 <"Client host rejected: cannot find your hostname"@d.test>: Relay access denied; from=<a@b.test> to=<"Client host rejected: cannot find your hostname"@d.test> proto=ESMTP helo=<h>`},
			[]string{"postfix\trelay-denied\t192.0.2.7\thelo=h\tfrom=a@b.test\tto=\"Client host rejected: cannot find your hostname\"@d.test"}},
		{"a queue ID that is none", []string{postfix + `x y: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 x; proto=SMTP`}, nil},
		{"no address", []string{postfix + `NOQUEUE: reject: RCPT from unknown[unknown]: 450 4.7.25 Client host rejected: cannot find your hostname, [unknown]; from=<> to=<a@b.test> proto=ESMTP helo=<h>`},
			[]string{"postfix\treverse-dns\t-\thelo=h\tfrom=\tto=a@b.test"}},
		{"cut", []string{postfix + `NOQUEUE: reject: RCPT from unknown[192.0.2.7`}, []string{"bad"}},
		{"a recipient that writes a relay", []string{
			sendmail + `6ARCZLB5001085: ruleset=check_rcpt, arg1=<"a, relay=[192.0.2.99], reject=550 "@b.test>, relay=[192.0.2.7], reject=550 5.7.1 <"a, relay=[192.0.2.99], reject=550 "@b.test>... Relaying denied`,
			sendmail + `6ARCZLB5001085: from=<", relay=[192.0.2.98]"@b.test>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=v4, relay=[192.0.2.7]`},
			[]string{"sendmail\trelay-denied\t192.0.2.7\thelo=\tfrom=\", relay=[192.0.2.98]\"@b.test\tto="}},
		{"a name that writes a relay", []string{sendmail + `ruleset=check_relay, arg1=a, relay=[192.0.2.99], reject=550 x, arg2=192.0.2.7, relay=a [192.0.2.7], reject=550 5.7.1 Access denied`}, []string{"bad"}},
		{"text of no refusal", []string{sendmail + `6ARCZLB5001085: lost input channel from [192.0.2.7] to MTA after rcpt`}, nil},
		{"a sender that writes a refusal", []string{exim + `H=(h) [192.0.2.7] F=<"a> rejected RCPT <v@w.test>: x"@b.test> rejected RCPT <"> rejected "@d.test>: relay not permitted`},
			[]string{"exim\trelay-denied\t192.0.2.7\thelo=h\tfrom=\"a> rejected RCPT <v@w.test>: x\"@b.test\tto=\"> rejected \"@d.test"}},
		{"a host like a message", []string{exim + `H=abcd-efghijklm [192.0.2.7] F=<a@b.test> rejected RCPT <c@d.test>: x`}, []string{"exim\tother\t192.0.2.7\thelo=abcd-efghijklm\tfrom=a@b.test\tto=c@d.test"}},
		{"header lines", []string{"F From: x", "  Subject: H=[192.0.2.99] rejected x: y", exim + `1xWvAl-0000B0-15 <= x H=a [192.0.2.7] P=esmtp`}, nil},
		{"a Message-ID that writes a client", []string{rspamd + `id: <x>, qid: <1>, ip: 192.0.2.99, from: <a>, (default: T (reject): [1/1] [x>, qid: <AB12>, ip: 192.0.2.7, from: <a@b.test>, (default: T (reject): [18.80/15.00] [X(1.00){}]), len: 1, rcpts: <c@d.test>, mime_rcpts: <c@d.test>`}, []string{"bad"}},
		{"accepted, with a header", []string{rspamd + `id: <x>, qid: <AB12>, ip: 192.0.2.7, from: <a@b.test>, (default: T (add header): [9/15.00] [X(1.00){ (reject): [;}]), len: 1, rcpts: <c@d.test>, mime_rcpts: <c@d.test>`}, nil},
		{"greylisted", []string{rspamd + `id: <x>, ip: 192.0.2.7, from: <a@b.test>, (default: F (soft reject): [9/15.00] [GREYLIST(0.00){greylisted;}]), len: 1, rcpts: <c@d.test,e@f.test>, mime_rcpts: <c@d.test,...>`},
			[]string{"rspamd\tgreylist\t192.0.2.7\thelo=\tfrom=a@b.test\tto=c@d.test"}},
		{"a command that writes a result", []string{smtpd + "connected address=192.0.2.7 host=x address=192.0.2.99", smtpd + `failed-command command="MAIL FROM:<\" result=\"250 @b.test>" result="550 no reverse DNS"`, smtpd + `failed-command command="RCPT" result="503 5.5.1 Invalid command"`},
			[]string{`opensmtpd	reverse-dns	192.0.2.7	helo=	from=\" result=\"250 @b.test	to=`}},
		{"another program", []string{"2026-11-27T13:35:15+01:00 mx sshd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 x; proto=SMTP"}, nil},
		{"the bytes of a journal", []string{`{"__REALTIME_TIMESTAMP":"1795783045978956","SYSLOG_IDENTIFIER":"exim4","MESSAGE":[72,61,40,255,9,41,32,91,49,57,50,46,48,46,50,46,55,93,32,114,101,106,101,99,116,101,100,32,120,58,32,121]}`},
			[]string{"exim\tother\t192.0.2.7\thelo=\xff\t\tfrom=\tto="}},
		{"a journal of another kind", []string{`{"MESSAGE":{"a":1},"__REALTIME_TIMESTAMP":"1"}`, `{"__REALTIME_TIMESTAMP":1}`, `{`}, nil},
	} {
		got := parseLines(t, c.lines...)
		for i := range got {
			got[i] = got[i][strings.Index(got[i], "\t")+1:]
			got[i] = got[i][strings.Index(got[i], "\t")+1:]
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q\nwant %q", c.what, got, c.want)
		}
	}
}

// TestMemory: what waits is bounded.
func TestMemory(t *testing.T) {
	t.Parallel()
	var p Parser
	p.Begin(newClock(t))
	for i := range 3 * maxMemory {
		line := fmt.Sprintf("2026-11-27T13:35:21+01:00 mx sm-mta[%d]: 6ARCZL%08d: <%s>... User unknown", i, i, strings.Repeat("x", 2000))
		if found, what := p.Line([]byte(line)); len(found) > 0 || what != IsOther {
			t.Fatal(found, what)
		}
	}
	if n := len(p.Rest()); n < maxMemory || n > 2*maxMemory {
		t.Errorf("%d wait", n)
	}
	for range 2 * maxWaiting {
		p.Line([]byte("2026-11-27T13:35:21+01:00 mx sm-mta[1]: 6ARCZLKa001086: <a@b.test>... User unknown"))
	}
	found, _ := p.Line([]byte("2026-11-27T13:35:21+01:00 mx sm-mta[1]: 6ARCZLKa001086: from=<x@sender.test>, size=0, relay=[192.0.2.7]"))
	if len(found) != maxWaiting || found[0].Sender != "x@sender.test" {
		t.Errorf("%d refusals", len(found))
	}
}

// FuzzLine: no lines make the parser fail, and what it finds is whole.
func FuzzLine(f *testing.F) {
	samples, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, sample := range append(samples, "testdata/postfix-journald.json") {
		text, err := os.ReadFile(sample)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:min(len(text), 4000)]))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p Parser
		p.Begin(newClock(t))
		for line := range strings.Lines(text) {
			found, what := p.Line([]byte(strings.TrimRight(line, "\n")))
			if (what == IsRefusal) != (len(found) > 0) {
				t.Fatal(what, found)
			}
			for _, r := range found {
				if r.Cause == "" || r.Software == "" || r.Client.Is4In6() || strings.ContainsAny(string(r.Cause), " \t\n") {
					t.Errorf("%+v", r)
				}
			}
		}
	})
}
