package mtas

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// gtube is a text that every spam filter rejects, for tests.
const gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

// TestTrap runs the trap of examples/mail beside an MX host: a share of the
// connections goes there, whole messages are looked at, and none is accepted.
func TestTrap(t *testing.T) {
	t.Parallel()
	peers.Require(t, "rspamd", "nft")
	w := Networked(t)
	n := outside(t, w, records, "")
	mx := w.Add(t, mxHost)
	dir := site(t, false)
	binds := map[string]string{"/var/lib/nullspf": dir, "/var/lib/programs": programs(t)}
	Run(t, Config{
		Kind: Postfix, Machine: mx, Name: "mail8.example.net", Resolver: nameserver, At: mxHost + ":25", Binds: binds,
		Files: map[string]string{"/etc/postfix/main.cf": example(t, "mail/postfix/main.cf"), hookPath: example(t, "mail/postfix/after-write")},
		Setup: zonesCommand + "; NULLSPF_OUTPUT=/var/lib/nullspf/build nullspf-mail; cat /var/lib/nullspf/build/mail/postfix/destination.cf >>/etc/postfix/main.cf",
	})
	trap := Run(t, Config{
		Kind: Postfix, Machine: mx, Name: "trap.example.net", Resolver: nameserver, At: mxHost + ":2525", Binds: binds,
		Files: map[string]string{
			"/etc/postfix/main.cf":                    example(t, "mail/trap/main.cf"),
			"/etc/postfix/master.cf":                  example(t, "mail/trap/master.cf"),
			"/etc/rspamd/local.d/force_actions.conf":  example(t, "mail/trap/force_actions.conf"),
			"/etc/rspamd/override.d/worker-proxy.inc": example(t, "mail/trap/worker-proxy.inc"),
			// rspamd compiles the names of all public suffixes when it starts, which
			// takes a minute of a busy processor.
			"/etc/rspamd/local.d/options.inc": "url_tld = \"/etc/rspamd/suffixes\";\n",
			"/etc/rspamd/suffixes":            "com\nexample\nnet\norg\n",
		},
		Setup: `
			mkdir -p /var/spool/postfix-trap /var/lib/postfix-trap /run/rspamd
			chown postfix /var/lib/postfix-trap
			chown _rspamd /run/rspamd`,
	})

	// Without rspamd, mail is deferred.
	c := connect(t, n, goodClient, mxHost+":2525")
	c.expect("EHLO good.sender.example.com", "250")
	c.expect("MAIL FROM:<a@sender.example.com>", "451 4.7.1 ")

	if _, err := trap.Run(t.Context(), "rspamd -f -u _rspamd -g _rspamd -c /etc/rspamd/rspamd.conf >/dev/null 2>&1 &"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := mx.Dial(t.Context(), "", "127.0.0.1:11332")
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			log, _ := trap.Read("/var/log/rspamd/rspamd.log")
			t.Fatalf("rspamd does not listen: %v\n%s", err, log)
		}
	}
	c.fresh()
	message := func(body string) string {
		c.expect("MAIL FROM:<a@sender.example.com>", "250")
		c.expect("RCPT TO:<someone@brand.example.org>", "250")
		c.expect("RCPT TO:<postmaster@www.alpha.example>", "250")
		c.expect("DATA", "354")
		return c.try("From: a@sender.example.com\r\nTo: someone@brand.example.org\r\nSubject: trap\r\nMessage-ID: <1@sender.example.com>\r\n\r\n" + body + "\r\n.")
	}
	if got := message("hello"); got != "554 5.7.1 This domain is not used for email" {
		t.Errorf("the trap says %q", got)
	}
	if got := message(gtube); got != "554 5.7.1 Gtube pattern" {
		t.Errorf("the trap says of spam %q", got)
	}
	c.expect("MAIL FROM:<a@sender.example.com>", "250")
	c.expect("RCPT TO:<someone@other.example>", "554 5.7.1 <someone@other.example>: Relay access denied")
	var log []byte
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(string(log), "Relay access denied"); time.Sleep(50 * time.Millisecond) {
		var err error
		if log, err = trap.Read("/var/log/mail.log"); err != nil || time.Now().After(deadline) {
			t.Fatalf("the mail log: %v\n%s", err, log)
		}
	}
	for _, verdict := range []string{": 5.7.1 This domain is not used for email; from=<a@sender.example.com>", ": 5.7.1 Gtube pattern; from=<a@sender.example.com>"} {
		if !strings.Contains(string(log), "milter-reject: END-OF-MESSAGE from good.sender.example.com[198.51.100.8]"+verdict) {
			t.Errorf("the mail log lacks %q:\n%s", verdict, log)
		}
	}

	importVerdicts(t, log)

	nft := mx.Command(t.Context(), "nft", "-f", exampleFile(t, "mail/trap/nftables.conf"))
	if err := errors.Join(nft.Start(), nft.Wait()); err != nil {
		t.Fatal(err)
	}
	const tries = 200
	share := 0
	for range tries {
		conn, err := n.Dial(t.Context(), goodClient, mxHost+":25")
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		greeting := make([]byte, 100)
		k, err := conn.Read(greeting)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		if strings.Contains(string(greeting[:k]), "trap.example.net") {
			share++
		}
	}
	t.Logf("%d of %d connections came to the trap", share, tries)
	if share < 2 || share > 60 {
		t.Errorf("%d of %d connections came to the trap, want about 20", share, tries)
	}
}

// importVerdicts brings the log of the trap into a journal and looks for the verdicts.
func importVerdicts(t *testing.T, log []byte) {
	t.Helper()
	dir := t.TempDir()
	file, journal := filepath.Join(dir, "trap.log"), filepath.Join(dir, "trap")
	if err := os.WriteFile(file, log, 0o600); err != nil {
		t.Fatal(err)
	}
	nullspf := func(args ...string) string {
		out, err := exec.Command(filepath.Join(programs(t), "nullspf"), append([]string{"log"}, append(args, "--journal", journal)...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("nullspf log %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	nullspf("import", "--format", "maillog", "--server", "trap.example.net", "--timezone", "UTC", "--zone", "_spf.example.net", file)
	got := nullspf("top", "--by", "cause,ip", "--format", "csv")
	for _, want := range []string{"not-used-for-mail", "other", "relay-denied"} { // other: Gtube pattern
		if !strings.Contains(got, "1,"+want+",198.51.100.8\n") {
			t.Errorf("the journal lacks %s:\n%s", want, got)
		}
	}
}
