package mtas

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"nullspf/internal/peers"
)

// root is the checkout.
const root = "../.."

// The addresses of the tests: an MX host, and clients that differ in their reverse
// DNS.
const (
	mxHost     = "192.0.2.25"
	goodClient = "198.51.100.8"
	noName     = "198.51.100.7"
	wrongName  = "198.51.100.9"
	listed     = "198.51.100.10"
	failing    = "198.51.100.11"
	silent     = "198.51.100.12"
	nameserver = "192.0.2.53"
)

// records are what the resolver of the tests knows.
var records = []string{
	"mail8.example.net. A 192.0.2.25",
	"8.100.51.198.in-addr.arpa. PTR good.sender.example.com.",
	"good.sender.example.com. A 198.51.100.8",
	"9.100.51.198.in-addr.arpa. PTR liar.sender.example.com.",
	"liar.sender.example.com. A 198.51.100.99",
	"10.100.51.198.in-addr.arpa. PTR listed.sender.example.com.",
	"listed.sender.example.com. A 198.51.100.10",
	"10.100.51.198.bl.example.org. A 127.0.0.2",
	"10.100.51.198.bl.example.org. TXT listed",
	"sender.example.com. A 198.51.100.8",
}

// outside adds the machine of the clients to a network, on which Unbound answers with
// records and nothing else.
func outside(t *testing.T, w *Network, records []string, options string) *Machine {
	t.Helper()
	peers.Require(t, peers.Unbound.Programs()...)
	n := w.Add(t, goodClient, noName, wrongName, listed, failing, silent, nameserver)
	text := "access-control: 0.0.0.0/0 allow\nlocal-zone: . static\n" + options
	for _, r := range records {
		text += "local-data: \"" + r + "\"\n"
	}
	var server *peers.Server
	err := n.Do(func() (err error) {
		server, err = peers.Start(t.Context(), peers.Config{
			Kind: peers.Unbound, Address: netip.MustParseAddrPort(nameserver + ":53"), Options: text,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// example returns the text of a file below examples.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// nullspfDir has the programs, built once.
var nullspfDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mtas")
	if err != nil {
		return "", err
	}
	return dir, peers.Build(context.Background(), dir, "nullspf", "nullspfd")
})

// programs returns the directory with nullspf and nullspfd.
func programs(t *testing.T) string {
	t.Helper()
	dir, err := nullspfDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMain runs all tests at a time: they wait more than they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	code := m.Run()
	if dir, err := nullspfDir(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// site makes the files of an operator with three domains on a list, and returns
// the directory that a mail host sees as /var/lib/nullspf.
func site(t *testing.T, hook bool) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mtas")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	yaml := siteYAML
	if hook {
		yaml += "after_write: [" + hookPath + "]\n"
	}
	for name, text := range map[string]string{
		"nullspf.yaml": yaml,
		"domains.txt":  "alpha.example\nbrand.example.org\nxn--mnchen-3ya.example\n",
		"null.txt":     "null.example\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const siteYAML = `
nameservers: [ns1.example.net]
soa: {rname: hostmaster.example.net}
servers: []
groups:
  domains: {list: domains.txt, mail: postmaster, mx: [{host: mail8.example.net, preference: 10}]}
  none: {list: null.txt}
postmaster: postmaster@mail.example.net
reject_sender: true
`

// hookPath is where the command of after_write is.
const hookPath = "/usr/local/sbin/nullspf-mail"

// zonesCommand writes the tables where the mail host runs.
const zonesCommand = "/var/lib/programs/nullspf zones -c /var/lib/nullspf/nullspf.yaml"
