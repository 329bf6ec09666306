package mailmaps

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"nullspf/internal/peers"
)

// sendmailMC is the rest of a sendmail.mc around one of the configurations.
const sendmailMC = `divert(-1)
define(` + "`_CF_DIR_', `{cf}/'" + `)
divert(0)
include(` + "`{cf}/m4/cf.m4'" + `)
define(` + "`MAIL_SETTINGS_DIR', `{dir}/'" + `)dnl
OSTYPE(` + "`linux'" + `)dnl
define(` + "`QUEUE_DIR', `{dir}/queue'" + `)dnl
define(` + "`STATUS_FILE', `{dir}/statistics'" + `)dnl
define(` + "`confPID_FILE', `{dir}/pid'" + `)dnl
define(` + "`ALIAS_FILE', `'" + `)dnl
define(` + "`confDOMAIN_NAME', `mail8.example.net'" + `)dnl
define(` + "`confSERVICE_SWITCH_FILE', `{dir}/service.switch'" + `)dnl
define(` + "`confDONT_BLAME_SENDMAIL', `groupwritabledirpathsafe,classfileinunsafedirpath,mapinunsafedirpath'" + `)dnl
FEATURE(` + "`nouucp', `reject'" + `)dnl
FEATURE(` + "`nocanonify'" + `)dnl
FEATURE(` + "`accept_unresolvable_domains'" + `)dnl
include(` + "`{dir}/mail/sendmail/{configuration}'" + `)dnl
MAILER(` + "`smtp'" + `)dnl
`

// sendmailPrograms are what it takes to run a sendmail that is not, or is,
// installed.
type sendmailPrograms struct{ sendmail, makemap, m4, cf string }

func findSendmail(t *testing.T) sendmailPrograms {
	t.Helper()
	p := sendmailPrograms{makemap: peers.Makemap(t)}
	peers.RequireRoot(t, "run sendmail in namespaces")
	bin := filepath.Dir(p.makemap)
	p.sendmail, p.m4 = filepath.Join(bin, "sendmail"), filepath.Join(bin, "m4")
	if _, err := os.Stat(p.m4); err != nil {
		p.m4, _ = exec.LookPath("m4")
	}
	for _, cf := range []string{filepath.Join(bin, "../root/usr/share/sendmail/cf"), "/usr/share/sendmail/cf", "/usr/share/sendmail-cf"} {
		if _, err := os.Stat(filepath.Join(cf, "m4/cf.m4")); err == nil {
			p.cf = cf
			break
		}
	}
	if _, err := os.Stat(p.sendmail); err != nil || p.m4 == "" || p.cf == "" {
		peers.Lack(t, "no sendmail with its m4 files beside %s; get them with internal/mtas/unpack", p.makemap)
	}
	return p
}

// configure writes tables and configuration and returns the path of
// sendmail.cf.
func (p sendmailPrograms) configure(t *testing.T, configuration string) string {
	t.Helper()
	dir := t.TempDir()
	settings := testSettings()
	settings.Dir, settings.Reply = dir, oddReply
	write(t, dir, settings, testSet())
	if err := os.Mkdir(filepath.Join(dir, "queue"), 0o700); err != nil {
		t.Fatal(err)
	}
	mc := strings.NewReplacer("{dir}", dir, "{cf}", p.cf, "{configuration}", configuration).Replace(sendmailMC)
	cf := filepath.Join(dir, "sendmail.cf")
	build := exec.CommandContext(t.Context(), p.m4)
	build.Stdin = strings.NewReader(mc)
	text, err := build.Output()
	if err != nil {
		t.Fatalf("m4: %v", err)
	}
	for name, text := range map[string]string{
		cf:                                   string(text),
		filepath.Join(dir, "service.switch"): "hosts\tfiles\naliases\tfiles\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"virtusertable", "access"} {
		appendix, err := os.ReadFile(filepath.Join(dir, "mail/sendmail", name+".appendix"))
		if err != nil {
			t.Fatal(err)
		}
		table := exec.CommandContext(t.Context(), p.makemap, "-C", cf, "hash", filepath.Join(dir, name))
		table.Stdin = strings.NewReader("# own entries\nsales@other.example\tjoe\n" + string(appendix))
		if out, err := table.CombinedOutput(); err != nil {
			t.Fatalf("makemap: %v\n%s", err, out)
		}
	}
	return cf
}

// command returns a command that runs sendmail in namespaces of its own: in a
// machine with a fully qualified host name, for which it would wait a minute,
// and without a network, where it would ask the DNS for that name.
func (p sendmailPrograms) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh",
		append([]string{"-c", `hostname mail8.example.net && exec "$0" "$@"`, p.sendmail}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET}
	return cmd
}

// start starts a command, or skips the test where no namespace is to be had.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	err := cmd.Start()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) {
		peers.Lack(t, "sendmail needs namespaces: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// pipes is the standard input and output of a command.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// TestSendmail asks sendmail over SMTP, as a client on the same host, whose
// mail it would relay.
func TestSendmail(t *testing.T) {
	p := findSendmail(t)
	for _, configuration := range []string{"destination.mc", "relay.mc"} {
		t.Run(configuration, func(t *testing.T) {
			cmd := p.command(t, "-bs", "-C", p.configure(t, configuration), "-OLogLevel=0")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			start(t, cmd)
			c := newClient(t, pipes{out, in})
			c.expect("EHLO client.example.com", "250")
			c.expect("MAIL FROM:<forger@sender.example.com>", "250")
			for _, recipient := range []string{
				"someone@brand.example.org", "SomeOne@BRAND.example.org", "someone+x@y.example", "abuse@xn--mnchen-3ya.example",
				"postmasters@brand.example.org",
			} {
				c.refused(recipient, oddReply)
			}
			for _, recipient := range []string{"postmaster@alpha.example", "PostMaster@Y.Example"} {
				c.expect("RCPT TO:<"+recipient+">", "250")
			}
			c.expect("RSET", "250")
			c.expect("QUIT", "221")
			// The exit code tells of refused recipients.
			_ = cmd.Wait()
		})
	}
}

// TestSendmailRules asks sendmail's rules for strangers: for whom it accepts
// mail, and where it goes.
func TestSendmailRules(t *testing.T) {
	p := findSendmail(t)
	const (
		accepted = "RELAY"
		foreign  = `$# error $@ 5 . 7 . 1 $: "550 Relaying denied"`
		refused  = "$# error $@ 5 . 7 . 1 $: 554 It isn't used - see"
		mailbox  = "$# esmtp $@ mail . example . net . $: postmaster < @ mail . example . net . >"
	)
	lookups := []struct{ ruleset, address, want string }{
		{"check_rcpt", "postmaster@brand.example.org", accepted},
		{"check_rcpt", "someone@other.example", foreign},
		{"check_rcpt", "someone@z.example", foreign},
		{"check_rcpt", "postmaster@z.example", foreign},
		{"check_rcpt", "someone@www.brand.example.org", foreign},
		{"3,0", "postmaster@brand.example.org", mailbox},
		{"3,0", "someone@brand.example.org", refused},
		{"3,0", "someone+detail@y.example", refused},
	}
	const stranger = ".D{client_addr}192.0.2.7\n.D{client_name}client.example.com\n.D{client_resolve}OK\n"
	for _, configuration := range []string{"destination.mc", "relay.mc"} {
		t.Run(configuration, func(t *testing.T) {
			cf := p.configure(t, configuration)
			for _, q := range lookups {
				cmd := p.command(t, "-bt", "-C", cf, "-OLogLevel=0")
				cmd.Stdin = strings.NewReader(stranger + q.ruleset + " " + q.address + "\n")
				var out strings.Builder
				cmd.Stdout = &out
				start(t, cmd)
				if err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				results := strings.Split(out.String(), "returns: ")
				got, _, _ := strings.Cut(results[len(results)-1], "\n")
				if !strings.HasPrefix(got, q.want) {
					t.Errorf("%s %s: got %q, want %q", q.ruleset, q.address, got, q.want)
				}
			}
		})
	}
}
