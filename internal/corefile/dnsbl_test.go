package corefile

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/dnsname"
	"nullspf/internal/nameserver"
)

func TestLoadDNSBL(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "Corefile"), `.:5300 {
    dnsbl BL.example.net. {
        file lists/forgers.json
        nameservers ns1.example.net NS2.example.org.
        ttl 10m
    }
    dnsbl other.example.net {
        file other.json
        nameservers ns1.example.net
    }
}
`)
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []nameserver.DNSBL{
		{Position: path + ":2", Zone: "bl.example.net", File: "lists/forgers.json", Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.org"}, TTL: 10 * time.Minute},
		{Position: path + ":7", Zone: "other.example.net", File: "other.json", Nameservers: []dnsname.Name{"ns1.example.net"}, TTL: 5 * time.Minute},
	}
	if diff := cmp.Diff(want, c.Blocks[0].DNSBL); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
