package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"

	_ "nullspf/internal/corefile" // what nullspfd is built from
)

// TestNullspfdBehindUnbound has a resolver ask nullspfd.
func TestNullspfdBehindUnbound(t *testing.T) {
	t.Parallel()
	Require(t, append(Unbound.Programs(), Nullspfd.Programs()...)...)
	dir := t.TempDir()
	program, err := BuildNullspfd(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	server, resolver := freePort(t), freePort(t)
	corefile, stub := filepath.Join(dir, "Corefile"), filepath.Join(dir, "stub.conf")
	for path, text := range map[string]string{
		corefile: fmt.Sprintf("_spf.a.example:%d {\n\tbind %s\n\tspftrack {\n\t\tnameservers ns.example.net\n\t\texplain forged\n\t}\n}\n", server.Port(), server.Addr()),
		stub:     fmt.Sprintf("stub-zone:\n\tname: _spf.a.example\n\tstub-addr: %s@%d\n", server.Addr(), server.Port()),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	Run(t, Config{Kind: Nullspfd, Address: server, Program: program, Include: []string{corefile}})
	Run(t, Config{Kind: Unbound, Address: resolver, Options: "qname-minimisation: yes\n", Include: []string{stub}})
	m := new(dns.Msg).SetQuestion("h.HE.l.LP.192.0.2.1.in-addr.CL.b.example.FD.2._spf.a.example.", dns.TypeTXT)
	answer, _, err := new(dns.Client).ExchangeContext(t.Context(), m, resolver.String())
	if err != nil || len(answer.Answer) != 1 || !strings.Contains(answer.Answer[0].String(), `"forged"`) {
		t.Errorf("answer %v, %v; want the explanation", answer, err)
	}
}

func TestNullspfdNeedsCorefile(t *testing.T) {
	if s, err := Start(t.Context(), Config{Kind: Nullspfd, Address: freePort(t), Program: "nullspfd"}); err == nil {
		t.Errorf("Start without Corefile: no error; %v", s.Stop())
	}
}
