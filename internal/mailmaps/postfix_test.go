package mailmaps

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/mxprobe"
	"nullspf/internal/peers"
	"nullspf/nolisting"
)

// The rest of a Postfix instance that knows nobody, and sends all that it
// accepts to one address.
const (
	mainCF = `
compatibility_level = 3.6
config_directory = {dir}/etc
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/log
maillog_file_prefixes = {dir}
default_database_type = {type}
myhostname = mail8.example.net
mydomain = example.net
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
relayhost = [127.0.0.1]:{sink}
disable_dns_lookups = yes
smtpd_error_sleep_time = 0
smtpd_peername_lookup = no
smtpd_tls_security_level = none
smtp_tls_security_level = none
`
	masterCF = `
127.0.0.1:{port} inet n - n - - smtpd
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
flush    unix n - n - 0 flush
proxymap unix - - n - - proxymap
anvil    unix - - n - 1 anvil
smtp     unix - - n - - smtp
relay    unix - - n - - smtp
error    unix - - n - - error
retry    unix - - n - - error
postlog  unix-dgram n - n - 1 postlogd
`
)

// startPostfix starts an instance with one of the configurations, as it is
// made, and returns the address of its SMTP server.
func startPostfix(t *testing.T, configuration string, sink net.Addr) string {
	t.Helper()
	mapType := postfixMapTypes(t)[0]
	peers.RequireRoot(t, "start Postfix")
	// The processes of Postfix run as a user of its own, which t.TempDir keeps
	// out.
	dir, err := os.MkdirTemp("", "mailmaps")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, sub := range []string{"", "etc", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil && sub != "" {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	owner(t, filepath.Join(dir, "data"))

	settings := testSettings()
	settings.Dir, settings.Reply = dir, oddReply
	write(t, dir, settings, testSet())
	text, err := os.ReadFile(filepath.Join(dir, "mail/postfix", configuration))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range settings.tables() {
		if name, ok := strings.CutPrefix(c.path, "mail/postfix/"); ok {
			run(t, "", "postmap", mapType+":"+filepath.Join(dir, "mail/postfix", name))
		}
	}
	address, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	_, sinkPort, _ := net.SplitHostPort(sink.String())
	fill := strings.NewReplacer("{dir}", dir, "{type}", mapType, "{sink}", sinkPort, "{port}", fmt.Sprint(address.Port()))
	for name, text := range map[string]string{"main.cf": mainCF + string(text), "master.cf": masterCF} {
		if err := os.WriteFile(filepath.Join(dir, "etc", name), []byte(fill.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	runPostfix(t, dir, address.String())
	return address.String()
}

// owner gives a directory to the user of Postfix.
func owner(t *testing.T, path string) {
	t.Helper()
	u, err := user.Lookup(strings.TrimSpace(run(t, "", "postconf", "-dh", "mail_owner")))
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, -1); err != nil {
		t.Fatal(err)
	}
}

// runPostfix runs an instance for the time of the test.
func runPostfix(t *testing.T, dir, address string) {
	t.Helper()
	program, err := peers.Program("postfix")
	if err != nil {
		t.Fatal(err)
	}
	log := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		return string(text)
	}
	etc := filepath.Join(dir, "etc")
	master := exec.Command(program, "-c", etc, "start-fg")
	master.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out strings.Builder
	master.Stdout, master.Stderr = &out, &out
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- master.Wait() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = exec.CommandContext(ctx, program, "-c", etc, "abort").Run()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error("Postfix had to be killed")
			_ = syscall.Kill(-master.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Logf("Postfix:\n%s%s", out.String(), log())
		}
	})
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.Dial("tcp4", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("Postfix ended at its start: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("Postfix does not answer")
		}
	}
}

// TestPostfix asks a running Postfix, with the lines as they are made.
func TestPostfix(t *testing.T) {
	// The values are whom the message for postmaster goes on to.
	for configuration, next := range map[string]string{
		"destination.cf": "postmaster@mail.example.net",
		"relay.cf":       "postmaster@brand.example.org",
	} {
		t.Run(configuration, func(t *testing.T) {
			t.Parallel()
			sink, recipients := newSink(t)
			address := startPostfix(t, configuration, sink)
			probe(t, address)
			conn, err := net.Dial("tcp4", address)
			if err != nil {
				t.Fatal(err)
			}
			c := newClient(t, conn)
			c.expect("EHLO client.example.com", "250")
			c.expect("MAIL FROM:<forger@sender.example.com>", "250")
			for _, recipient := range []string{
				"someone@brand.example.org", "SomeOne@BRAND.example.org", "abuse@xn--mnchen-3ya.example", "x@y.example",
				"postmaster+x@brand.example.org", "postmasters@brand.example.org", `"post master"@brand.example.org`,
			} {
				c.refused(recipient, oddReply)
			}
			for _, recipient := range []string{"someone@www.brand.example.org", "postmaster@www.brand.example.org"} {
				c.refused(recipient, oddReply)
			}
			for _, recipient := range []string{"postmaster@z.example", "someone@z.example", "x@notbrand.example.org"} {
				c.expect("RCPT TO:<"+recipient+">", "454 4.7.1 <"+recipient+">: Relay access denied")
			}
			for _, recipient := range []string{"postmaster@alpha.example", "PostMaster@Y.Example"} {
				c.expect("RCPT TO:<"+recipient+">", "250")
			}
			c.expect("RSET", "250")

			c.expect("MAIL FROM:<>", "250")
			c.refused("someone@brand.example.org", oddReply)
			c.expect("RCPT TO:<postmaster@brand.example.org>", "250")
			c.expect("DATA", "354")
			c.expect("Subject: test\r\n\r\ntest\r\n.", "250")
			c.expect("QUIT", "221")
			select {
			case got := <-recipients:
				if got != next {
					t.Errorf("the message went on to %s, not %s", got, next)
				}
			case <-time.After(20 * time.Second):
				t.Error("the message did not go on")
			}
		})
	}
}

// probe sees a live host as it should be.
func probe(t *testing.T, address string) {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	results, err := mxprobe.Run(t.Context(), mxprobe.Settings{Port: at.Port(), HELO: "probe.example.com"}, []mxprobe.Target{
		{Role: nolisting.Live, Address: at.Addr(), Domain: "brand.example.org", Below: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := mxprobe.Report{Results: results}
	if n := len(results[0].Session.Recipients); n != 4 || r.Count(mxprobe.Error)+r.Count(mxprobe.Warning) > 0 {
		t.Errorf("%d recipients tried, %+v", n, results[0])
	}
}
