package mtas

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBackupMX runs the hosts of examples/mail as backup MX hosts, with the lines for
// a relay: mail for postmaster goes on to the host of lower preference, the rest is
// refused here.
func TestBackupMX(t *testing.T) {
	const backup = "192.0.2.26"
	relay := strings.NewReplacer("destination.", "relay.", "mail8.", "mail9.", mxHost, backup, "mail.example.net", "mail9.example.net",
		"nullspf-exim-lines", "nullspf-exim-lines relay")
	known := append(slices.Clone(records), "mail9.example.net. A "+backup, "mail.example.net. A "+mxHost,
		"brand.example.org. MX 10 mail8.example.net.", "brand.example.org. MX 20 mail9.example.net.")
	for _, h := range hosts {
		t.Run(string(h.kind), func(t *testing.T) {
			t.Parallel()
			w := Networked(t)
			n := outside(t, w, known, "")
			l, err := w.Add(t, mxHost).Listen(mxHost + ":25")
			if err != nil {
				t.Fatal(err)
			}
			seen := make(chan string, 100)
			next := Sink{Seen: func(_ time.Time, what string) { seen <- what }}
			next.Serve(l)
			t.Cleanup(next.Close)
			files := make(map[string]string)
			for at, name := range h.files {
				files[at] = relay.Replace(example(t, "mail/"+name))
			}
			s := Run(t, Config{
				Kind: h.kind, Machine: w.Add(t, backup), Name: "mail9.example.net", Resolver: nameserver, Files: files,
				At: backup + ":25", Setup: relay.Replace(h.setup),
				Binds: map[string]string{"/var/lib/nullspf": site(t, h.files[hookPath] != ""), "/var/lib/programs": programs(t)},
			})
			c := connect(t, n, goodClient, s.At)
			c.expect("EHLO good.sender.example.com", "250")
			c.recipients(h.refusal, "a@sender.example.com", "someone@brand.example.org")
			c.recipients(h.below, "", "someone@www.brand.example.org")
			c.sender(fill(h.sender, "a@brand.example.org"), "a@brand.example.org")
			c.fresh()
			c.send("a@sender.example.com", "PostMaster@brand.example.org", "message")
			want := "postmaster@brand.example.org"
			if h.kind == Sendmail {
				want = "postmaster@mail.example.net"
			}
			got := []string{}
			deadline := time.After(30 * time.Second)
			for !slices.Contains(got, "message") {
				select {
				case what := <-seen:
					got = append(got, what)
				case <-deadline:
					t.Fatalf("the message did not go on; seen %q", got)
				}
			}
			if !slices.Equal(got, []string{"connect", want, "message"}) {
				t.Errorf("the next host has seen %q", got)
			}
		})
	}
}
