package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// daemon starts a program that stays.
func (st *seat) daemon(tree string, ready func() error, argv ...string) (stop func(), err error) {
	cmd := st.command(context.Background(), filepath.Join(st.site.dir, tree), argv...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		// It leads a process group.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	for until := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if err = ready(); err == nil {
			return stop, nil
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("it ended at its start:\n%s", out.String())
		default:
		}
		if time.Now().After(until) {
			stop()
			return nil, fmt.Errorf("it does not start: %w\n%s", err, out.String())
		}
	}
}

// tags are the verdicts of a text of several words, each with its result.
type tags []struct{ word, result string }

// in returns the result of the first word that stands in a text.
func (t tags) in(text string) string {
	for _, tag := range t {
		if regexp.MustCompile(`\b` + tag.word + `\b`).MatchString(text) {
			return tag.result
		}
	}
	return ""
}

// spamassassin checks a message file. It takes client, HELO and sender from header fields.
func spamassassin(ctx context.Context, st *seat, m *message) (outcome, error) {
	mail := fmt.Sprintf("Return-Path: <%s>\nReceived: from %s (%s [%s])\n\tby mx.example.net (Postfix) with ESMTP id ABCDEF\n"+
		"\tfor <a@example.net>; Fri, 20 Nov 2026 12:00:00 +0000 (UTC)\nFrom: <%[1]s>\nTo: <a@example.net>\nSubject: x\n"+
		"Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <x@%s>\n\nx\n",
		m.sender(), m.helo, strings.Trim(m.helo, "[]"), m.ip, m.domain())
	out, err := output(st.command(ctx, filepath.Join(st.site.dir, debian), "/usr/bin/spamassassin", "-x",
		"--configpath=/matrix", "--siteconfigpath=/matrix/none"), mail)
	status, _, _ := strings.Cut(out, "\n\n")
	return outcome{tags{
		{"SPF_FAIL", "fail"}, {"SPF_SOFTFAIL", "softfail"}, {"SPF_NEUTRAL", "neutral"}, {"SPF_PASS", "pass"},
		{"SPF_PERMERROR", "permerror"}, {"SPF_TEMPERROR", "temperror"}, {"SPF_NONE", "none"},
	}.in(status), out}, err
}

// checkExim plays an SMTP session with Exim, which answers with the result.
func checkExim(ctx context.Context, st *seat, m *message) (outcome, error) {
	session := fmt.Sprintf("EHLO %s\r\nMAIL FROM:<%s>\r\nQUIT\r\n", m.helo, m.sender())
	out, err := output(st.command(ctx, filepath.Join(st.site.dir, exim), "/usr/sbin/exim4", "-C", "/matrix/exim.conf", "-bh", m.ip), session)
	o := outcome{text: out}
	if found := regexp.MustCompile(`(?m)^550[ -]spf=(\w+)`).FindStringSubmatch(out); found != nil {
		o.result = found[1]
	}
	return o, err
}

// opendmarcAt is where its milter listens.
const opendmarcAt = "inet:8893@127.0.2.1"

func startOpenDMARC(ctx context.Context, st *seat) (stop func(), err error) {
	ready := func() error {
		_, err := opendmarc(ctx, st, &message{ip: "203.0.113.7", local: "x", helo: "mail.example.org"})
		return err
	}
	return st.daemon(debian, ready, "/usr/sbin/opendmarc", "-f", "-c", "/matrix/opendmarc.conf", "-p", opendmarcAt)
}

// opendmarc plays a mail server that asks a milter.
func opendmarc(ctx context.Context, st *seat, m *message) (outcome, error) {
	out, err := output(st.command(ctx, filepath.Join(st.site.dir, debian), "/usr/bin/miltertest", "-s", "/matrix/opendmarc.lua",
		"-D", "socket="+opendmarcAt, "-D", "ip="+m.ip, "-D", "helo="+m.helo, "-D", "sender="+m.sender(), "-D", "domain="+m.domain()), "")
	o := outcome{text: out}
	if found := regexp.MustCompile(`\bspf=(\w+)`).FindStringSubmatch(out); found != nil {
		o.result = found[1]
	}
	if o.result == "tempfail" {
		o.result = "temperror"
	}
	return o, err
}

// rspamdAt is where its worker for checks listens.
const rspamdAt = "http://127.0.0.1:11333/"

func startRspamd(_ context.Context, st *seat) (stop func(), err error) {
	ready := func() error {
		answer, err := http.Get(rspamdAt + "ping")
		if err == nil {
			answer.Body.Close()
		}
		return err
	}
	return st.daemon(debian, ready, "/bin/sh", "-c", "cp /matrix/rspamd-options.inc /etc/rspamd/local.d/options.inc && "+
		"exec /usr/bin/rspamd -f -i -c /etc/rspamd/rspamd.conf")
}

func rspamd(ctx context.Context, _ *seat, m *message) (o outcome, err error) {
	mail := fmt.Sprintf("From: <%s>\r\nTo: <a@example.net>\r\nSubject: x\r\n\r\nx\r\n", m.sender())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, rspamdAt+"checkv2", strings.NewReader(mail))
	if err != nil {
		return o, err
	}
	for key, value := range map[string]string{"IP": m.ip, "Helo": m.helo, "From": m.sender(), "Rcpt": "a@example.net"} {
		request.Header.Set(key, value)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return o, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return o, err
	}
	o.text = string(text)
	var reply struct{ Symbols map[string]any }
	if err := json.Unmarshal(text, &reply); err != nil {
		return o, err
	}
	for symbol, result := range map[string]string{
		"R_SPF_FAIL": "fail", "R_SPF_SOFTFAIL": "softfail", "R_SPF_NEUTRAL": "neutral", "R_SPF_ALLOW": "pass",
		"R_SPF_PERMFAIL": "permerror", "R_SPF_DNSFAIL": "temperror", "R_SPF_NA": "none",
	} {
		if _, ok := reply.Symbols[symbol]; ok {
			o.result = result
		}
	}
	return o, nil
}

// checkCourier plays an SMTP session with Courier, which is set up to refuse all mail
// whose result is not "none", and to say what it is.
func checkCourier(ctx context.Context, st *seat, m *message) (outcome, error) {
	session := fmt.Sprintf("EHLO %s\r\nMAIL FROM:<%s>\r\nRCPT TO:<a@example.net>\r\nQUIT\r\n", m.helo, m.sender())
	out, err := output(st.command(ctx, filepath.Join(st.site.dir, courier), "/usr/bin/env",
		"TCPREMOTEIP="+m.ip, "TCPREMOTEPORT=4000", "TCPREMOTEHOST=", "TCPREMOTEINFO=", "TCPLOCALIP=127.0.0.1", "TCPLOCALPORT=25",
		"BOFHCHECKDNS=0", "ESMTPAUTH=", "/usr/sbin/courieresmtpd"), session)
	o := outcome{text: out}
	if found := regexp.MustCompile(`(?m)^\d+[ -]SPF (\w+) `).FindStringSubmatch(out); found != nil {
		o.result = found[1]
	}
	// Names of an earlier draft.
	switch o.result {
	case "unknown":
		o.result = "permerror"
	case "error":
		o.result = "temperror"
	}
	return o, err
}
