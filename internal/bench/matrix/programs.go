package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// program is an SPF implementation.
type program struct {
	name string
	// versionOf tells its version.
	versionOf func(ctx context.Context, st *seat) (string, error)
	// start starts its daemon; nil when it has none.
	start func(ctx context.Context, st *seat) (stop func(), err error)
	check func(ctx context.Context, st *seat, m *message) (outcome, error)
}

// The trees of Debian packages. Mail servers exclude each other.
const debian, exim, courier = "debian", "exim", "courier"

// programs are all, in the order of the tables.
var programs = []*program{
	{name: "pyspf", versionOf: deb(debian, "python3-spf"), check: prints(debian, func(m *message) []string {
		return []string{"/usr/bin/python3", "/matrix/check.py", m.ip, m.sender(), m.helo}
	})},
	{name: "policyd-spf-python", versionOf: deb(debian, "postfix-policyd-spf-python"), check: policy("/usr/bin/policyd-spf")},
	{name: "Mail::SPF", versionOf: deb(debian, "libmail-spf-perl"), check: prints(debian, func(m *message) []string {
		return []string{"/usr/bin/spfquery.mail-spf-perl", "--scope", "mfrom", "--identity", m.sender(), "--helo-identity", m.helo, "--ip-address", m.ip}
	})},
	{name: "policyd-spf-perl", versionOf: deb(debian, "postfix-policyd-spf-perl"), check: policy("/usr/sbin/postfix-policyd-spf-perl")},
	{name: "SpamAssassin", versionOf: deb(debian, "spamassassin"), check: spamassassin},
	{name: "libspf2", versionOf: deb(debian, "libspf2-2"), check: prints(debian, func(m *message) []string {
		return []string{"/usr/bin/spfquery.libspf2", "-ip", m.ip, "-sender", m.sender(), "-helo", m.helo}
	})},
	{name: "OpenDMARC", versionOf: deb(debian, "opendmarc"), start: startOpenDMARC, check: opendmarc},
	{name: "Exim", versionOf: deb(exim, "exim4-daemon-heavy"), check: checkExim},
	{name: "rspamd", versionOf: deb(debian, "rspamd"), start: startRspamd, check: rspamd},
	{name: "Courier", versionOf: deb(courier, "courier-mta"), check: checkCourier},
	{name: "blitiri", versionOf: module("blitiri.com.ar/go/spf"), check: library("blitiri")},
	{name: "redsift/spf", versionOf: module("github.com/redsift/spf/v2"), check: library("redsift")},
	{name: "zaccone/spf", versionOf: module("github.com/zaccone/spf"), check: library("zaccone")},
	{name: "zaccone/spf, own resolver", versionOf: module("github.com/zaccone/spf"), check: library("zaccone-miekg")},
	{name: "mileusna/spf", versionOf: module("github.com/mileusna/spf"), check: library("mileusna")},
	{name: "mox", versionOf: module("github.com/mjl-/mox"), check: library("mox")},
	{name: "mailauth 4", versionOf: npm("mailauth4"), check: script("mailauth4")},
	{name: "mailauth 7", versionOf: npm("mailauth"), check: script("mailauth7")},
	{name: "Haraka", versionOf: npm("haraka-plugin-spf"), check: script("haraka")},
	{name: "spf-check", versionOf: npm("spf-check"), check: script("spf-check")},
}

// deb tells the version of a Debian package, without the revision.
func deb(tree, name string) func(context.Context, *seat) (string, error) {
	return func(ctx context.Context, st *seat) (string, error) {
		out, err := output(st.command(ctx, filepath.Join(st.site.dir, tree), "dpkg-query", "-W", "-f", "${Version}", name), "")
		out, _, _ = strings.Cut(out, "-")
		return out, err
	}
}

// module tells the version of a Go module of gospf.
func module(path string) func(context.Context, *seat) (string, error) {
	return func(ctx context.Context, st *seat) (string, error) {
		out, err := output(st.command(ctx, "", "go", "version", "-m", filepath.Join(st.site.dir, "gospf")), "")
		for line := range strings.Lines(out) {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "dep" && f[1] == path {
				// Of a pseudo-version, the date is enough.
				version := regexp.MustCompile(`^v0\.0\.0-(\d{4})(\d\d)(\d\d).*`).ReplaceAllString(f[2], "of $1-$2-$3")
				return strings.TrimPrefix(version, "v"), nil
			}
		}
		return "", fmt.Errorf("no module %s: %w", path, err)
	}
}

// npm tells the version of a package.
func npm(name string) func(context.Context, *seat) (string, error) {
	return func(_ context.Context, st *seat) (string, error) {
		text, err := os.ReadFile(filepath.Join(st.site.dir, "node/node_modules", name, "package.json"))
		var p struct{ Version string }
		if err == nil {
			err = json.Unmarshal(text, &p)
		}
		return p.Version, err
	}
}

// prints is for a program that prints the result in the first line.
func prints(tree string, argv func(*message) []string) func(context.Context, *seat, *message) (outcome, error) {
	return func(ctx context.Context, st *seat, m *message) (outcome, error) {
		root := tree
		if tree != "" {
			root = filepath.Join(st.site.dir, tree)
		}
		out, err := output(st.command(ctx, root, argv(m)...), "")
		// libspf2 tells the causes of an error before.
		_, after, ok := strings.Cut(out, "EndError\n")
		if !ok {
			after = out
		}
		result, _, _ := strings.Cut(after, "\n")
		return outcome{strings.TrimSpace(result), out}, err
	}
}

// library is for one of gospf.
func library(name string) func(context.Context, *seat, *message) (outcome, error) {
	return prints("", func(m *message) []string {
		return []string{"./gospf", name, m.ip, m.sender(), m.helo}
	})
}

// script is for one of check.js.
func script(name string) func(context.Context, *seat, *message) (outcome, error) {
	return prints("", func(m *message) []string {
		return []string{"node", "node/matrix/check.js", name, m.ip, m.sender(), m.helo}
	})
}

// policy is for a policy service of Postfix: the answer is an action.
func policy(program string) func(context.Context, *seat, *message) (outcome, error) {
	header := regexp.MustCompile(`(?i)Received-SPF: (\w+)`)
	return func(ctx context.Context, st *seat, m *message) (outcome, error) {
		request := fmt.Sprintf("request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"+
			"client_address=%s\nclient_name=unknown\nreverse_client_name=unknown\nhelo_name=%s\nsender=%s\nrecipient=a@example.net\n"+
			"instance=%s\nqueue_id=\nsize=0\n\n", m.ip, m.helo, m.sender(), m.domain())
		out, err := output(st.command(ctx, filepath.Join(st.site.dir, debian), program), request)
		action, _ := strings.CutPrefix(strings.TrimSpace(out), "action=")
		o := outcome{text: action}
		found := header.FindStringSubmatch(action)
		switch {
		case found != nil:
			o.result = found[1]
		case strings.HasPrefix(action, "550 "):
			o.result = "fail"
		case strings.HasPrefix(strings.ToLower(action), "defer_if_permit "), strings.HasPrefix(action, "450 "), strings.HasPrefix(action, "451 "):
			o.result = "temperror"
		}
		return o, err
	}
}
