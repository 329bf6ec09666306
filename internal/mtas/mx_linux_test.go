package mtas

import (
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// host is an MX host of examples/mail.
type host struct {
	kind Kind
	// files are examples by where they go.
	files map[string]string
	setup string
	// refusal is the reply to recipients, below and deeper that to those in names
	// one label and more labels below the domains, sender that to senders, foreign
	// that to other domains.
	refusal, below, deeper, sender, foreign string
	// noName, wrongName and listed are the replies to clients without reverse DNS, with
	// a name that does not lead back, and on a block list; "" is none.
	noName, wrongName, listed string
	limits
}

const refusal = "554 5.7.1 This domain is not used for email"

var hosts = []host{
	{
		kind: Postfix,
		files: map[string]string{
			"/etc/postfix/main.cf": "postfix/main.cf",
			hookPath:               "postfix/after-write",
		},
		setup:   zonesCommand + "; cat /var/lib/nullspf/build/mail/postfix/destination.cf >>/etc/postfix/main.cf",
		refusal: "554 5.7.1 <%s>: Recipient address rejected: This domain is not used for email",
		below:   "554 5.7.1 <%s>: Recipient address rejected: This domain is not used for email",
		deeper:  "554 5.7.1 <%s>: Recipient address rejected: This domain is not used for email",
		sender:  "554 5.7.1 <%s>: Sender address rejected: This domain is not used for email",
		foreign: "454 4.7.1 <%s>: Relay access denied",
		noName:  "554 5.7.1 Client host rejected: cannot find your reverse hostname",
		listed:  "554 5.7.1 Service unavailable; Client host [198.51.100.10] blocked using bl.example.org; listed",
		limits: limits{
			unsure: "450 4.7.1 Client host rejected: cannot find your reverse hostname", many: "452 4.5.3 Error: too many recipients",
			slow: true, guesser: "421 4.7.0 mail8.example.net Error: too many errors", crowd: "421 4.7.0 mail8.example.net Error: too many connections",
		},
	},
	{
		kind: Exim,
		files: map[string]string{
			"/etc/exim4/update-exim4.conf.conf":      "exim/update-exim4.conf.conf",
			"/etc/exim4/conf.d/main/000_localmacros": "exim/000_localmacros",
			"/etc/exim4/local_rcpt.acl":              "exim/local_rcpt.acl",
			"/etc/exim4/guesser.acl":                 "exim/guesser.acl",
			"/usr/local/sbin/nullspf-exim-lines":     "exim/install",
		},
		setup:     zonesCommand + "; nullspf-exim-lines; update-exim4.conf",
		refusal:   refusal,
		below:     refusal,
		deeper:    refusal,
		sender:    refusal,
		foreign:   "550 ",
		noName:    "554 5.7.1 No reverse DNS",
		wrongName: "554 5.7.1 No reverse DNS",
		listed:    "554 5.7.1 198.51.100.10 is on a block list",
		limits: limits{
			unsure: "451 Temporary local problem", many: "452 too many recipients",
			guesser: "550 5.7.1 Too many recipients that do not exist", crowd: "421 Too many concurrent SMTP connections",
		},
	},
	{
		kind: OpenSMTPD,
		files: map[string]string{
			"/etc/smtpd.conf": "opensmtpd/smtpd.conf",
			hookPath:          "opensmtpd/after-write",
		},
		setup:   zonesCommand,
		refusal: refusal,
		below:   refusal,
		deeper:  "550 Invalid recipient: <%s>",
		sender:  refusal,
		foreign: "550 Invalid recipient: <%s>",
		noName:  "450 4.7.1 No reverse DNS",
		limits:  limits{many: "451 4.5.3 Too many recipients"},
	},
	{
		kind: Sendmail,
		files: map[string]string{
			"/etc/mail/sendmail.mc": "sendmail/sendmail.mc",
			hookPath:                "sendmail/after-write",
		},
		setup: "touch /etc/mail/virtusertable /etc/mail/access /etc/mail/sendmail.cf; echo mail.example.net >/etc/mail/local-host-names\n" +
			zonesCommand + "; m4 /etc/mail/sendmail.mc >/etc/mail/sendmail.cf; : >/etc/mail/aliases; /usr/libexec/sendmail/sendmail -bi",
		refusal:   refusal,
		below:     "550 5.7.1 <%s>... Relaying denied",
		deeper:    "550 5.7.1 <%s>... Relaying denied",
		sender:    refusal,
		foreign:   "550 5.7.1 <%s>... Relaying denied",
		noName:    "550 5.7.1 <nobody@mail.example.net>... Fix reverse DNS for 198.51.100.7",
		wrongName: "451 4.1.8 Possibly forged hostname for 198.51.100.9",
		listed:    "554 5.7.1 198.51.100.10 is on a block list",
		limits: limits{
			unsure: "451 4.1.8 Client IP address 198.51.100.1", many: "452 4.5.3 Too many recipients", slow: true,
		},
	},
}

// fill puts an address into a reply.
func fill(reply, address string) string {
	if strings.Contains(reply, "%s") {
		return fmt.Sprintf(reply, address)
	}
	return reply
}

// TestMXHosts goes the whole way with the hosts of examples/mail: lists, "nullspf
// zones" with its hook, and a real server, which delivers mail for postmaster into a
// mailbox and refuses the rest.
func TestMXHosts(t *testing.T) {
	for _, h := range hosts {
		t.Run(string(h.kind), func(t *testing.T) {
			t.Parallel()
			w := Networked(t)
			n := outside(t, w, records, unsure)
			dir, mail := site(t, h.files[hookPath] != ""), t.TempDir()
			if err := os.Chmod(mail, 0o1777); err != nil {
				t.Fatal(err)
			}
			files := make(map[string]string)
			for at, name := range h.files {
				files[at] = example(t, "mail/"+name)
			}
			s := Run(t, Config{
				Kind: h.kind, Machine: w.Add(t, mxHost), Name: "mail8.example.net", Resolver: nameserver, Files: files, At: mxHost + ":25", Setup: h.setup,
				Binds: map[string]string{"/var/lib/nullspf": dir, "/var/lib/programs": programs(t), "/var/mail": mail},
			})

			c := connect(t, n, goodClient, s.At)
			c.expect("EHLO good.sender.example.com", "250")
			for i, m := range []struct{ sender, recipient string }{
				{"a@sender.example.com", "postmaster@alpha.example"},
				{"a@sender.example.com", "PostMaster@BRAND.example.org"},
				{"a@sender.example.com", "postmaster+tag@xn--mnchen-3ya.example"},
				{"", "postmaster@brand.example.org"},
				{"a@sender.example.com", "postmaster@mail.example.net"},
			} {
				subject := fmt.Sprint("message ", i)
				c.send(m.sender, m.recipient, subject)
				// One after the other: procmail waits 8 s for a locked mailbox.
				delivered(t, s, mail, subject)
			}

			c.recipients(h.refusal, "a@sender.example.com", "someone@brand.example.org", "SomeOne@BRAND.example.org",
				"abuse@xn--mnchen-3ya.example", "postmasters@alpha.example")
			c.recipients(h.refusal, "", "someone+tag@brand.example.org")
			c.recipients(h.below, "a@sender.example.com", "someone@www.brand.example.org", "postmaster@www.alpha.example")
			c.recipients(h.deeper, "a@sender.example.com", "someone@a.b.alpha.example")
			c.recipients(h.foreign, "a@sender.example.com", "someone@other.example", "postmaster@null.example",
				"x@notbrand.example.org", "someone%other.example@null.example")
			for _, sender := range []string{"a@brand.example.org", "A@Alpha.Example", "a@null.example", "postmaster@alpha.example"} {
				c.sender(fill(h.sender, sender), sender)
			}
			for client, want := range map[string]string{noName: h.noName, wrongName: h.wrongName, listed: h.listed} {
				if got := unwelcome(t, n, client, s.At); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
					t.Errorf("client %s: got %q, want %q", client, got, want)
				}
			}

			h.limits.check(t, n, s)

			// A domain more.
			add := "echo new.example >>/var/lib/nullspf/domains.txt && " + zonesCommand
			if out, err := s.Run(t.Context(), add); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			follows(t, n, s)
		})
	}
}

// recipients tries recipients and checks that each is refused so. It takes a
// connection for three, because servers end those that try many.
func (c *client) recipients(want, sender string, recipients ...string) {
	c.t.Helper()
	for _, r := range recipients {
		c.fresh()
		c.expect("MAIL FROM:<"+sender+">", "250")
		c.expect("RCPT TO:<"+r+">", fill(want, r))
	}
}

// sender tries a sender and checks that it is refused, at MAIL or at RCPT.
func (c *client) sender(want, sender string) {
	c.t.Helper()
	c.fresh()
	got := c.try("MAIL FROM:<" + sender + ">")
	if strings.HasPrefix(got, "250") {
		got = c.try("RCPT TO:<postmaster@alpha.example>")
	}
	if !strings.HasPrefix(got, want) {
		c.t.Errorf("sender %s: got %q, want %q", sender, got, want)
	}
}

// unwelcome returns the reply by which a client is refused, "" when it is not.
func unwelcome(t *testing.T, n *Machine, from, to string) string {
	conn, err := n.Dial(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := &client{Conn: textproto.NewConn(conn), t: t}
	defer c.Close()
	got := c.read("greeting")
	for _, command := range []string{"EHLO client.sender.example.com", "MAIL FROM:<a@sender.example.com>", "RCPT TO:<nobody@mail.example.net>"} {
		if got[0] != '2' {
			return got
		}
		got = c.try(command)
	}
	if got[0] != '2' {
		return got
	}
	return ""
}

// follows waits until a server accepts mail for postmaster of a domain that is new
// on the list.
func follows(t *testing.T, n *Machine, s *Server) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		got := ""
		if conn, err := n.Dial(t.Context(), goodClient, s.At); err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			c := textproto.NewConn(conn)
			for _, command := range []string{"", "EHLO good.sender.example.com", "MAIL FROM:<a@sender.example.com>", "RCPT TO:<postmaster@new.example>"} {
				if command != "" {
					_ = c.PrintfLine("%s", command)
				}
				_, got, err = c.ReadResponse(2)
			}
			_ = c.Close()
			if err == nil {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not accept mail for a new domain: %s", s.Kind, got)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// delivered waits until a message is in the mailbox.
func delivered(t *testing.T, s *Server, mail, subject string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		text, _ := os.ReadFile(filepath.Join(mail, PostmasterUser))
		if strings.Contains(string(text), "Subject: "+subject+"\n") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: no message %q in the mailbox:\n%s", s.Kind, subject, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
