package nolisting

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"nullspf/internal/dnsname"
	"nullspf/internal/special"
	"nullspf/zones"
)

// pool holds the addresses from which FuzzMX chooses.
var pool = []netip.Addr{
	netip.MustParseAddr("5.5.0.1"), netip.MustParseAddr("5.5.0.2"), netip.MustParseAddr("5.5.0.3"),
	netip.MustParseAddr("2a00::1"), netip.MustParseAddr("2a00::2"), netip.MustParseAddr("2a00::3"),
	netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
	netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("::ffff:5.5.0.1"), {},
}

// fuzzTiers makes tiers of three bytes a host: preference, role and
// name, addresses.
func fuzzTiers(layout byte, test bool, name string, data []byte) Tiers {
	t := Tiers{Layout: append(Layouts, "other")[int(layout)%(len(Layouts)+1)], AllowTestAddresses: test}
	for i := 0; i+2 < len(data); i += 3 {
		h := Host{
			Name:       dnsname.Name(fmt.Sprintf("mx%d.example.net", data[i+1]>>3%8)),
			Preference: uint16(data[i]),
			Role:       append(Roles, "other")[int(data[i+1]&7)%(len(Roles)+1)],
		}
		if data[i+1]&0x80 != 0 {
			h.Name = dnsname.Name(name)
		}
		if n := int(data[i+2] & 15); n < len(pool) {
			h.Addresses = append(h.Addresses, pool[n])
		}
		if n := int(data[i+2] >> 4); n < len(pool) {
			h.Addresses = append(h.Addresses, pool[n])
		}
		t.Hosts = append(t.Hosts, h)
	}
	return t
}

func FuzzMX(f *testing.F) {
	f.Add(byte(0), false, "", []byte{10, 0, 0xf0, 20, 9, 0xf1})
	f.Add(byte(0), false, "", []byte{10, 0, 0x30, 20, 9, 0x41})
	f.Add(byte(1), false, "mx.example.org", []byte{10, 0, 0xf0, 20, 9, 0xf1, 20, 0x81, 0xf2, 30, 16, 0xf0})
	f.Add(byte(2), false, "", []byte{10, 0, 0xf0, 20, 9, 0xf1, 30, 18, 0xf1, 40, 27, 0xf2})
	f.Add(byte(2), true, "", []byte{10, 0, 0xf6, 20, 9, 0xf1, 40, 27, 0xf2})
	f.Add(byte(0), true, "A\n.", []byte{20, 0x80, 0xf0, 20, 9, 0xf1, 0, 0, 0xaa, 0, 4, 0x98})
	f.Fuzz(func(t *testing.T, layout byte, test bool, name string, data []byte) {
		tiers := fuzzTiers(layout, test, name, data)
		mx, broken := tiers.MX()
		if broken != nil {
			if mx != nil {
				t.Errorf("a value beside violations: %v", mx)
			}
			printable(t, broken)
			return
		}
		checkInvariants(t, tiers, mx)
	})
}

// checkInvariants checks an accepted RRset pair by pair.
func checkInvariants(t *testing.T, tiers Tiers, mx []zones.MX) {
	t.Helper()
	if len(mx) != len(tiers.Hosts) {
		t.Errorf("%d hosts became %d records", len(tiers.Hosts), len(mx))
	}
	byName := make(map[dnsname.Name]Host)
	for _, h := range tiers.Hosts {
		byName[h.Name] = h
	}
	word := ""
	for i, r := range mx {
		h, ok := byName[r.Host]
		if !ok || h.Preference != r.Preference || hostNameFault(r.Host) != "" || len(h.Addresses) == 0 {
			t.Errorf("record %v has no proper host", r)
		}
		delete(byName, r.Host)
		if i > 0 && (mx[i-1].Preference > r.Preference || mx[i-1].Preference == r.Preference && mx[i-1].Host >= r.Host) {
			t.Errorf("%v stands after %v", r, mx[i-1])
		}
		if letter := string(h.Role[0]); word == "" || word[len(word)-1:] != letter {
			word += letter
		}
	}
	allowed := map[Layout][]string{Nolisting: {"dl"}, FakeMX: {"dld"}, Tar: {"dlt", "dlbt"}}
	if !slices.Contains(allowed[tiers.Layout], word) {
		t.Errorf("layout %s accepts the order %s", tiers.Layout, word)
	}
	for _, a := range tiers.Hosts {
		for _, b := range tiers.Hosts {
			if a.Role != b.Role && a.Preference == b.Preference {
				t.Errorf("%v and %v have one preference", a, b)
			}
			checkPair(t, a, b)
		}
		for _, addr := range a.Addresses {
			if b, found := special.Find(addr); found && (b.Never || !tiers.AllowTestAddresses) {
				t.Errorf("%v is accepted", addr)
			}
		}
	}
	checkSenders(t, tiers, mx)
}

// checkSenders follows the records as a sender with IPv4 only, with IPv6 only
// and with both does: each that reaches a live host at all meets a dead host
// first, and reaches the live host by its fifth address.
func checkSenders(t *testing.T, tiers Tiers, mx []zones.MX) {
	t.Helper()
	for name, usable := range map[string]func(netip.Addr) bool{
		"IPv4": netip.Addr.Is4, "IPv6": netip.Addr.Is6, "both": netip.Addr.IsValid,
	} {
		var met []Role
		for _, r := range mx {
			h := tiers.Hosts[slices.IndexFunc(tiers.Hosts, func(h Host) bool { return h.Name == r.Host })]
			for _, a := range h.Addresses {
				if usable(a) {
					met = append(met, h.Role)
				}
			}
		}
		first := slices.Index(met, Live)
		if first == 0 || first > 4 || first > 0 && met[0] != Dead {
			t.Errorf("a sender with %s meets %v", name, met)
		}
		if first > 0 && tiers.Layout == FakeMX && met[len(met)-1] != Dead {
			t.Errorf("a sender with %s that goes backwards meets %v", name, met)
		}
	}
}

// checkPair checks that no dead or tempfail host has an address of a host of
// another role.
func checkPair(t *testing.T, a, b Host) {
	t.Helper()
	if a.Role == b.Role || a.Role != Dead && a.Role != TempFail {
		return
	}
	for _, x := range a.Addresses {
		for _, y := range b.Addresses {
			if x == y {
				t.Errorf("%v and %v share %v", a, b, x)
			}
		}
	}
}
