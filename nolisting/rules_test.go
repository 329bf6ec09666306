package nolisting

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

// host makes a host from one line: name, preference, role, addresses.
func host(t testing.TB, line string) Host {
	t.Helper()
	fields := strings.Fields(line)
	h := Host{Name: dnsname.Name(fields[0]), Role: Role(fields[2])}
	if _, err := fmt.Sscan(fields[1], &h.Preference); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	for _, f := range fields[3:] {
		h.Addresses = append(h.Addresses, netip.MustParseAddr(f))
	}
	return h
}

func tiers(t testing.TB, layout Layout, lines ...string) Tiers {
	t.Helper()
	tiers := Tiers{Layout: layout}
	for _, line := range lines {
		tiers.Hosts = append(tiers.Hosts, host(t, line))
	}
	return tiers
}

// The hosts of the tables; their addresses are in no special-purpose space.
const (
	deadLow  = "dead.example.net 10 dead 5.5.0.1"
	live     = "mx1.example.net 20 live 5.5.0.2"
	live2    = "mx2.example.net 20 live 5.5.0.3"
	live30   = "mx3.example.net 30 live 5.5.0.4"
	backup   = "mx4.example.net 40 backup 5.5.0.5"
	deadHigh = "last.example.net 50 dead 5.5.0.1"
	tempfail = "tar.example.net 60 tempfail 5.5.0.6"
)

func TestMX(t *testing.T) {
	tests := map[string]struct {
		tiers Tiers
		want  string
	}{
		"nolisting":             {tiers(t, Nolisting, live, deadLow), "10 dead 20 mx1"},
		"fake-mx":               {tiers(t, FakeMX, deadHigh, live, deadLow), "10 dead 20 mx1 50 last"},
		"tar":                   {tiers(t, Tar, tempfail, backup, live, deadLow), "10 dead 20 mx1 40 mx4 60 tar"},
		"tar without backup":    {tiers(t, Tar, tempfail, live, deadLow), "10 dead 20 mx1 60 tar"},
		"load sharing":          {tiers(t, Nolisting, live2, live, deadLow), "10 dead 20 mx1 20 mx2"},
		"two live preferences":  {tiers(t, FakeMX, live30, live, deadLow, deadHigh), "10 dead 20 mx1 30 mx3 50 last"},
		"several dead":          {tiers(t, Nolisting, live, deadLow, "d2.example.net 10 dead 5.5.0.9", "d3.example.net 11 dead 5.5.0.9"), "10 d2 10 dead 11 d3 20 mx1"},
		"backup shares address": {tiers(t, Tar, tempfail, "mx4.example.net 40 backup 5.5.0.2", live, deadLow), "10 dead 20 mx1 40 mx4 60 tar"},
		"both families": {tiers(t, Nolisting, "dead.example.net 0 dead 5.5.0.1 2a00::1",
			"mx1.example.net 65535 live 5.5.0.2 2a00::2"), "0 dead 65535 mx1"},
		"a dead host for each family": {tiers(t, Nolisting, deadLow, "d6.example.net 10 dead 2a00::1",
			"mx1.example.net 20 live 5.5.0.2 2a00::2"), "10 d6 10 dead 20 mx1"},
		"dead host has one family more": {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.1 2a00::1", live), "10 dead 20 mx1"},
		"IPv6 only": {tiers(t, Nolisting, "dead.example.net 10 dead 2a00::1",
			"mx1.example.net 20 live 2a00::2"), "10 dead 20 mx1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.tiers.MX()
			if err != nil {
				t.Fatal(err)
			}
			var words []string
			for _, mx := range got {
				words = append(words, fmt.Sprint(mx.Preference), strings.TrimSuffix(string(mx.Host), ".example.net"))
			}
			if diff := cmp.Diff(tt.want, strings.Join(words, " ")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAllowTestAddresses(t *testing.T) {
	tt := tiers(t, Nolisting, "dead.example.net 10 dead 192.0.2.1 2001:db8::1", "mx1.example.net 20 live 127.0.0.2 2001:db8::2")
	if _, err := tt.MX(); err == nil {
		t.Error("test addresses accepted")
	}
	tt.AllowTestAddresses = true
	want := []zones.MX{{Host: "dead.example.net", Preference: 10}, {Host: "mx1.example.net", Preference: 20}}
	got, err := tt.MX()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestRules breaks each rule; want are parts of the violations, one each, in
// their order.
func TestRules(t *testing.T) {
	tests := map[string]struct {
		tiers Tiers
		want  []string
	}{
		"no hosts": {Tiers{Layout: Nolisting}, []string{"a live host is missing", "a dead host is missing"}},
		"unknown layout, and more": {tiers(t, "greylist", live, live), []string{
			"mx1.example.net: the name is listed twice", `layout "greylist" is unknown`}},
		"no layout":              {tiers(t, "", live, deadLow), []string{`layout "" is unknown`}},
		"a live host is missing": {tiers(t, Nolisting, deadLow), []string{"a live host is missing"}},
		"a dead host is missing": {tiers(t, Nolisting, live), []string{"a dead host is missing"}},
		"tar: no tail":           {tiers(t, Tar, deadLow, live, backup), []string{"a tempfail host is missing"}},
		"unknown role":           {tiers(t, Nolisting, deadLow, live, "x.example.net 30 Live 5.5.0.7"), []string{`x.example.net: role "Live" is unknown`}},
		"nolisting role":         {tiers(t, Nolisting, deadLow, live, backup), []string{"mx4.example.net: layout nolisting has no backup host"}},
		"fake-mx role":           {tiers(t, FakeMX, deadLow, live, deadHigh, tempfail), []string{"tar.example.net: layout fake-mx has no tempfail host"}},

		"dead equals live": {tiers(t, Nolisting, "dead.example.net 20 dead 5.5.0.1", live), []string{
			"preference 20 is also that of dead.example.net", "no dead host has the lowest"}},
		"backup equals live": {tiers(t, Tar, deadLow, live, "mx4.example.net 20 backup 5.5.0.5", tempfail), []string{
			"mx4.example.net: preference 20 is also that of mx1.example.net"}},
		"tempfail equals backup": {tiers(t, Tar, deadLow, live, backup, "tar.example.net 40 tempfail 5.5.0.6"), []string{
			"tar.example.net: preference 40 is also that of mx4.example.net"}},
		"dead above live":    {tiers(t, Nolisting, deadHigh, live), []string{"dead preference 50 is above live preference 20", "no dead host has the lowest"}},
		"second dead above":  {tiers(t, Tar, deadLow, deadHigh, live, tempfail), []string{"dead preference 50 is above live preference 20"}},
		"fake-mx: no first":  {tiers(t, FakeMX, deadHigh, live), []string{"no dead host has the lowest"}},
		"fake-mx: no last":   {tiers(t, FakeMX, deadLow, live), []string{"no dead host has the highest"}},
		"fake-mx: between":   {tiers(t, FakeMX, deadLow, deadHigh, live, live30, "d.example.net 25 dead 5.5.0.1"), []string{"d.example.net: dead preference 25 is between"}},
		"backup below live":  {tiers(t, Tar, deadLow, live30, "mx4.example.net 15 backup 5.5.0.5", tempfail), []string{"backup preference 15 is below live preference 30"}},
		"tempfail not last":  {tiers(t, Tar, deadLow, live, backup, "tar.example.net 30 tempfail 5.5.0.6"), []string{"tempfail preference 30 is below preference 40"}},
		"tempfail first":     {tiers(t, Tar, deadLow, live, "tar.example.net 5 tempfail 5.5.0.6"), []string{"tempfail preference 5 is below preference 10"}},
		"null MX beside":     {tiers(t, Nolisting, deadLow, live, ". 0 dead 5.5.0.1"), []string{"one of the hosts is a null MX"}},
		"empty name":         {Tiers{Layout: Nolisting, Hosts: []Host{host(t, deadLow), {Role: Live, Preference: 20, Addresses: host(t, live).Addresses}}}, []string{"a null MX"}},
		"name stands twice":  {tiers(t, Nolisting, deadLow, live, live), []string{"mx1.example.net: the name is listed twice"}},
		"live and dead name": {tiers(t, Nolisting, deadLow, "dead.example.net 20 live 5.5.0.2"), []string{"dead.example.net: the name is listed twice"}},

		"dead without address": {tiers(t, Nolisting, "dead.example.net 10 dead", live), []string{"dead.example.net: the dead host has no address"}},
		"live without address": {tiers(t, Nolisting, deadLow, "mx1.example.net 20 live"), []string{"mx1.example.net: the host has no address"}},
		"dead is live": {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.2", live), []string{
			"address 5.5.0.2 is also that of dead.example.net, which is dead, while this host is live: both names lead to the same server: the dead host would accept connections"}},
		"dead is live, IPv6": {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.1 2a00::1", "mx1.example.net 20 live 5.5.0.2 2a00::1"), []string{
			"mx1.example.net: address 2a00::1 is also that of dead.example.net"}},
		"dead is backup":   {tiers(t, Tar, "dead.example.net 10 dead 5.5.0.5", live, backup, tempfail), []string{"mx4.example.net: address 5.5.0.5"}},
		"dead is tempfail": {tiers(t, Tar, "dead.example.net 10 dead 5.5.0.6", live, tempfail), []string{"the dead host would defer mail"}},
		"live is tempfail": {tiers(t, Tar, deadLow, live, "tar.example.net 60 tempfail 5.5.0.2"), []string{"defer mail at the live host"}},
		"no IPv4 below": {tiers(t, Nolisting, "dead.example.net 10 dead 2a00::1", "mx1.example.net 20 live 5.5.0.2 2a00::2"), []string{
			"no dead host of the lowest preference has an IPv4 address"}},
		"no IPv6 below": {tiers(t, Nolisting, deadLow, "mx1.example.net 20 live 5.5.0.2 2a00::2"), []string{
			"no dead host of the lowest preference has an IPv6 address"}},
		"no IPv6 above": {tiers(t, FakeMX, "dead.example.net 10 dead 5.5.0.1 2a00::1", deadHigh, "mx1.example.net 20 live 5.5.0.2 2a00::2"), []string{
			"no dead host of the highest preference has an IPv6 address"}},
		"too many before live": {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.1.1 5.5.1.2 5.5.1.3", "d2.example.net 11 dead 5.5.1.4 5.5.1.5", live), []string{
			"5 addresses come before those of the first live host, at dead.example.net, d2.example.net"}},

		"private":       {tiers(t, Nolisting, "dead.example.net 10 dead 10.1.2.3", live), []string{"address 10.1.2.3 is in 10.0.0.0/8, private use (RFC 1918)"}},
		"reserved":      {tiers(t, Nolisting, "dead.example.net 10 dead 240.0.0.1", live), []string{"address 240.0.0.1 is in 240.0.0.0/4, reserved"}},
		"documentation": {tiers(t, Nolisting, deadLow, "mx1.example.net 20 live 192.0.2.1"), []string{"mx1.example.net: address 192.0.2.1 is in 192.0.2.0/24"}},
		"IPv6 reserved": {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.1 4000::1", live), []string{"address 4000::1 is in space reserved by the IETF (RFC 4291)"}},
		"zone":          {tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.1 2a00::1%eth0", live), []string{"address 2a00::1 has a scope zone"}},
		"zero address": {Tiers{Layout: Nolisting, Hosts: []Host{{"dead.example.net", 10, Dead, make([]netip.Addr, 2)}, host(t, live)}}, []string{
			"an address is empty", "an address is empty"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkViolations(t, tt.tiers, tt.want) })
	}
}

func checkViolations(t *testing.T, tiers Tiers, want []string) {
	t.Helper()
	mx, got := tiers.MX()
	if mx != nil || got == nil {
		t.Fatalf("accepted: %v", mx)
	}
	printable(t, got)
	if len(got) != len(want) {
		t.Fatalf("got %d violations, want %d:\n%v", len(got), len(want), got)
	}
	for i, v := range got {
		if !strings.Contains(v.Error(), want[i]) {
			t.Errorf("violation %d lacks %q:\n%v", i, want[i], v)
		}
	}
}

// violations takes an error of MX apart and checks its form.
// printable checks that violations say all and are safe to print.
func printable(t testing.TB, violations []*Violation) {
	t.Helper()
	for _, v := range violations {
		if v.Fault == "" || v.Why == "" || v.Remedy == "" {
			t.Errorf("violation says too little: %#v", v)
		}
		if text := v.Error(); len(text) > 4096 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("violation is not safe to print: %q", text)
		}
	}
}

func TestTestAddressesNeverAllowed(t *testing.T) {
	for _, a := range []string{"0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "::ffff:5.5.0.1", "ff02::1"} {
		tt := tiers(t, Nolisting, "dead.example.net 10 dead 5.5.0.1 "+a, live)
		tt.AllowTestAddresses = true
		checkViolations(t, tt, []string{"no host can have such an address"})
	}
}

func TestTooMany(t *testing.T) {
	tt := tiers(t, Nolisting, deadLow, live)
	for i := range 15 {
		tt.Hosts = append(tt.Hosts, host(t, fmt.Sprintf("m%d.example.net 30 live 5.5.1.%d", i, i)))
	}
	checkViolations(t, tt, []string{"there are 17 hosts"})

	tt = tiers(t, Nolisting, deadLow, live)
	for i := range 16 {
		tt.Hosts[1].Addresses = append(tt.Hosts[1].Addresses, netip.AddrFrom4([4]byte{5, 5, 1, byte(i)}))
	}
	checkViolations(t, tt, []string{"there are 17 addresses"})
}
