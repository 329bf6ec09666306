package corefile

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nullspf/internal/nameserver"
	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

func names(t *testing.T, texts ...string) (list []wire.Name) {
	t.Helper()
	for _, text := range texts {
		n, err := wire.ParseName(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// TestLoadSecondary reads all settings of secondary and transfer.
func TestLoadSecondary(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("key", []byte("MTIzNDU2Nzg5MDEyMzQ1Ng==\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, filepath.Join(dir, "Corefile"), `
.:53 {
    bind 192.0.2.53 2001:db8::53
    tsig xfr.example.net hmac-sha256 key
    transfer {
        to 192.0.2.0/24 key xfr.example.net
        to 2001:db8::/64
        notify 192.0.2.7 [2001:db8::7]:5300 key xfr.example.net
        source 192.0.2.9 2001:db8::9
    }
    secondary {
        catalog catalog.invalid
        zones A.example b.example.
        zones c.example
        allow _dmarc.parked.example co.uk
        allow .
        primaries 192.0.2.1 [2001:db8::1]:5300 key xfr.example.net
        source 192.0.2.8
        store zones/
        max_records 1000
        max_size 1MiB
        max_time 5m
        idle_time 10s
        transfers 3
    }
    secondary {
        zones plain.example
        primaries 192.0.2.2
        store other
    }
}
`)
	got, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	key := got.Keys[names(t, "xfr.example.net")[0]]
	at := netip.MustParseAddrPort
	wantTransfer := &nameserver.Transfer{
		To: []nameserver.TransferRule{
			{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Key: key.Name},
			{Prefixes: []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}},
		},
		Notify: []nameserver.NotifyRule{{Addresses: []netip.AddrPort{at("192.0.2.7:53"), at("[2001:db8::7]:5300")}, Key: key.Name}},
		Source: []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")},
	}
	wantGroups := []nameserver.Secondary{
		{Position: path + ":11", Source: []netip.Addr{netip.MustParseAddr("192.0.2.8")}, Group: secondary.Group{
			Catalogs:  names(t, "catalog.invalid"),
			Zones:     names(t, "a.example", "b.example", "c.example"),
			Allow:     names(t, "_dmarc.parked.example", "co.uk", "."),
			Primaries: []xfr.Primary{{Addr: at("192.0.2.1:53"), Key: key}, {Addr: at("[2001:db8::1]:5300"), Key: key}},
			Store:     "zones",
			Limits:    xfr.Limits{Records: 1000, Bytes: 1 << 20, Time: 5 * time.Minute, Idle: 10 * time.Second},
			Transfers: 3,
		}},
		{Position: path + ":26", Group: secondary.Group{
			Zones: names(t, "plain.example"), Primaries: []xfr.Primary{{Addr: at("192.0.2.2:53")}},
			Store: "other", Limits: xfr.DefaultLimits, Transfers: secondary.DefaultTransfers,
		}},
	}
	same := cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})
	if diff := cmp.Diff(wantTransfer, got.Transfer, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantGroups, got.Secondary, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
