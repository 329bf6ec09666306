package tier

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

var testTime = time.Date(2026, 11, 20, 12, 30, 0, 0, time.UTC)

// testListed lists two domains.
func testListed(name string) (string, bool) {
	for name != "" {
		if name == "brand.example" || name == "shop.example" {
			return name, true
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return "", false
}

func testRules(t *testing.T) Rules {
	t.Helper()
	s := DefaultSettings()
	s.TestAddresses = true
	s.Reporters = []string{"big.example", "other.example"}
	r, err := s.Rules(testListed)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// asked is a query that counts.
func asked(client, domain, resolver string, at time.Duration) eventrow.Row {
	return eventrow.Row{
		TS: testTime.Add(at).UnixNano(), Kind: "exp", ClientIP: client, ForgedDomain: domain, SenderDomain: domain, SenderLocal: "ceo",
		Resolver: resolver, SourceVerified: true,
	}
}

// enough are the queries that make an address corroborated.
func enough(client string) []eventrow.Row {
	return []eventrow.Row{
		asked(client, "brand.example", "192.0.2.53", 0),
		asked(client, "www.shop.example", "198.51.100.53", time.Minute),
		asked(client, "brand.example", "203.0.113.53", time.Hour),
	}
}

// session is a session at the SMTP listener.
func session(client, sender string, at time.Duration) eventrow.Row {
	return eventrow.Row{TS: testTime.Add(at).UnixNano(), Kind: "smtp", ClientIP: client, SenderDomain: sender, SourceVerified: true, Resolver: client}
}

// reported is a record of a report.
func reported(client, reporter string, change func(*eventrow.Row)) eventrow.Row {
	r := eventrow.Row{TS: testTime.UnixNano(), Kind: "dmarc", ClientIP: client, ForgedDomain: "brand.example", Reporter: reporter, Messages: 3, SPF: "fail", DKIM: "fail", Disposition: "reject"}
	if change != nil {
		change(&r)
	}
	return r
}

// lent is a row whose texts are in memory that is used again when it was taken.
func lent(r eventrow.Row) (eventrow.Row, []byte) {
	memory := make([]byte, 0, 1<<12)
	for _, text := range []*string{&r.Kind, &r.ClientIP, &r.SenderDomain, &r.ForgedDomain, &r.Resolver, &r.Flags, &r.SPF, &r.DKIM, &r.Override, &r.Reporter} {
		n := len(memory)
		memory = append(memory, *text...)
		*text = unsafe.String(unsafe.SliceData(memory[n:]), len(memory)-n)
	}
	return r, memory
}

// gather returns the evidence of rows.
func gather(t *testing.T, r Rules, rows ...eventrow.Row) map[string]*Evidence {
	t.Helper()
	g := NewGatherer(r)
	defer g.Close()
	for i := range rows {
		r, memory := lent(rows[i])
		if err := g.Add(&r); err != nil {
			t.Fatal(err)
		}
		for k := range memory {
			memory[k] = 'x'
		}
	}
	all := make(map[string]*Evidence)
	err := g.Each(context.Background(), func(e *Evidence) error {
		all[e.Subject.String()] = e
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTiers changes one thing at a time in what makes an address corroborated.
func TestTiers(t *testing.T) {
	t.Parallel()
	const client = "203.0.113.7"
	each := func(change func(*eventrow.Row)) []eventrow.Row {
		rows := enough(client)
		for i := range rows {
			change(&rows[i])
		}
		return rows
	}
	with := func(rows ...eventrow.Row) []eventrow.Row { return append(enough(client), rows...) }
	for name, test := range map[string]struct {
		rows    []eventrow.Row
		tier    Tier
		missing string
	}{
		"corroborated":     {enough(client), Corroborated, "a session at the SMTP listener"},
		"spoofed":          {each(func(r *eventrow.Row) { r.SourceVerified = false }), Claimed, "3 more networks of resolvers, 2 more listed domains, 2 more clock hours"},
		"retries count":    {each(func(r *eventrow.Row) { r.Flags = "retry" }), Corroborated, "a session"},
		"a domain twice":   {each(func(r *eventrow.Row) { r.ForgedDomain = "www." + "brand.example" }), Claimed, "1 more listed domain"},
		"not listed":       {each(func(r *eventrow.Row) { r.ForgedDomain = strings.Replace(r.ForgedDomain, ".example", ".invalid", 1) }), Claimed, "3 more networks"},
		"one hour":         {each(func(r *eventrow.Row) { r.TS = testTime.UnixNano() }), Claimed, "1 more clock hour"},
		"two networks":     {each(func(r *eventrow.Row) { r.Resolver = strings.Replace(r.Resolver, "203.0.113", "192.0.2", 1) }), Claimed, "1 more network of resolvers"},
		"one hoster":       {each(func(r *eventrow.Row) { r.Resolver = strings.Replace(r.Resolver, "203.0.113", "192.0.77", 1) }), Claimed, "1 more network of resolvers"},
		"public is none":   {each(func(r *eventrow.Row) { r.Resolver = strings.Replace(r.Resolver, "203.0.113.53", "74.125.1.1", 1) }), Claimed, "1 more network of resolvers"},
		"truncated":        {each(func(r *eventrow.Row) { r.Flags = "truncated" }), Claimed, "3 more networks"},
		"ambiguous":        {each(func(r *eventrow.Row) { r.Flags = "retry,ambiguous" }), Claimed, "3 more networks"},
		"anonymous":        {each(func(r *eventrow.Row) { r.ClientIP = "203.0.113.0/24" }), None, ""},
		"minimised":        {each(func(r *eventrow.Row) { r.Kind = "minimised" }), None, ""},
		"knock":            {with(session(client, "brand.example", 2*time.Hour)), Confirmed, ""},
		"knock below":      {with(session(client, "www.brand.example", -22*time.Hour)), Confirmed, ""},
		"knock a day off":  {with(session(client, "brand.example", -24*time.Hour)), Corroborated, "within a day"},
		"knock too late":   {with(session(client, "brand.example", 25*time.Hour)), Corroborated, "within a day"},
		"bounce":           {with(session(client, "", 0)), Corroborated, "with a sender in a listed domain"},
		"another's mail":   {with(session(client, "mail.example", 0)), Corroborated, "with a sender in a listed domain"},
		"two reporters":    {with(reported(client, "big.example", nil), reported(client, "other.example", nil)), Confirmed, ""},
		"one reporter":     {with(reported(client, "big.example", nil), reported(client, "big.example", nil)), Corroborated, "reports of 1 more trusted reporter"},
		"not trusted":      {with(reported(client, "big.example", nil), reported(client, "any.example", nil)), Corroborated, "reports of 1 more trusted reporter"},
		"reports alone":    {[]eventrow.Row{reported(client, "big.example", nil), reported(client, "other.example", nil)}, None, "3 more networks"},
		"forwarder":        {with(reported(client, "big.example", nil), reported(client, "other.example", func(r *eventrow.Row) { r.Override = "local_policy,forwarded" })), Corroborated, "1 more trusted"},
		"local policy":     {with(reported(client, "big.example", nil), reported(client, "other.example", func(r *eventrow.Row) { r.Override = "local_policy" })), Confirmed, ""},
		"DKIM passed":      {with(reported(client, "big.example", nil), reported(client, "other.example", func(r *eventrow.Row) { r.DKIM = "pass" })), Corroborated, "1 more trusted"},
		"not our domain":   {with(reported(client, "big.example", nil), reported(client, "other.example", func(r *eventrow.Row) { r.ForgedDomain = "x.invalid" })), Corroborated, "1 more trusted"},
		"knock alone":      {[]eventrow.Row{session(client, "brand.example", 0)}, None, "3 more networks"},
		"knock of another": {with(session("203.0.113.8", "brand.example", 0)), Corroborated, "with a sender"},
	} {
		e := gather(t, testRules(t), test.rows...)[client+"/32"]
		if e == nil {
			e = &Evidence{}
			if test.tier == None && test.missing == "" {
				continue
			}
		}
		if missing := strings.Join(e.Missing(), ", "); e.Tier != test.tier || !strings.Contains(missing, test.missing) || test.missing == "" && missing != "" {
			t.Errorf("%s: %s, missing %q; want %s, %q\n%+v", name, e.Tier, missing, test.tier, test.missing, e)
		}
	}
}

// TestIPv6Subjects: a host has a /64, a network of resolvers is a /32.
func TestIPv6Subjects(t *testing.T) {
	t.Parallel()
	rows := enough("2001:db8:7::1")
	for i, resolver := range []string{"2001:db8:1::53", "2001:db8:2::53", "2001:db9::53"} {
		rows[i].ClientIP = fmt.Sprintf("2001:db8:7::%d", i+1)
		rows[i].Resolver = resolver
	}
	all := gather(t, testRules(t), rows...)
	if e := all["2001:db8:7::/64"]; len(all) != 1 || e == nil || e.NetworkCount != 2 || e.Tier != Claimed || e.Queries != 3 {
		t.Errorf("%+v", all)
	}
	rows[1].Resolver = "2001:dba::53"
	if e := gather(t, testRules(t), rows...)["2001:db8:7::/64"]; e == nil || e.Tier != Corroborated {
		t.Errorf("%+v", e)
	}
}

// TestUnlistable: what is allowed, and what no host of the Internet has, is never on a
// list, also when a /64 of it is only in part.
func TestUnlistable(t *testing.T) {
	t.Parallel()
	r := testRules(t)
	r.Allow.AddSubjects(netip.MustParsePrefix("5.5.0.0/24"), "allow.txt:3")
	r.Allow.AddSubjects(netip.MustParsePrefix("2a00:1::25/128"), "own")
	for client, want := range map[string]string{
		"5.5.0.7": "allow.txt:3 allows 5.5.0.0/24", "5.5.1.7": "", "2a00:1::1": "own allows 2a00:1::/64", "2a00:1:0:1::1": "",
		"127.0.0.2": "no host of the public Internet has an address in 127.0.0.0/8, loopback (RFC 1122)", "203.0.113.9": "203.0.113.0/24", "192.168.1.1": "192.168.0.0/16",
		"2001:db8::1": "2001:db8::/32", "fd00::1": "fc00::/7",
	} {
		r.TestAddresses = false
		subject := Subject(netip.MustParseAddr(client))
		if e := gather(t, r, enough(client)...)[subject.String()]; e == nil || !strings.Contains(e.Unlistable, want) || (want == "") != (e.Unlistable == "") {
			t.Errorf("%s: %+v, want %q", client, e, want)
		}
	}
	if got := Unlistable(Subject(netip.MustParseAddr("203.0.113.9")), r.Allow, true); got != "" {
		t.Errorf("test addresses: %q", got)
	}
	if Unlistable(Subject(netip.MustParseAddr("224.0.0.9")), r.Allow, true) == "" {
		t.Error("a multicast address is listable")
	}
}

// TestList: in order, without what is not to be listed, whatever the order of events.
func TestList(t *testing.T) {
	t.Parallel()
	var rows []eventrow.Row
	for _, client := range []string{"2001:db8:7::1", "203.0.113.10", "203.0.113.9", "127.0.0.1", "5.5.0.1"} {
		rows = append(rows, enough(client)...)
	}
	rows = append(rows, session("5.5.0.1", "brand.example", 0))
	var want string
	for seed := range uint64(3) {
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(rows), func(i, k int) { rows[i], rows[k] = rows[k], rows[i] })
		g := NewGatherer(testRules(t))
		for i := range rows {
			if err := g.Add(&rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		list, err := g.List(context.Background(), Corroborated)
		g.Close()
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, e := range list {
			fmt.Fprintf(&got, "%+v\n", *e)
		}
		if want == "" {
			want = got.String()
			var subjects []string
			for _, e := range list {
				subjects = append(subjects, e.Subject.String())
			}
			if order := []string{"5.5.0.1/32", "203.0.113.9/32", "203.0.113.10/32", "2001:db8:7::/64"}; !slices.Equal(subjects, order) {
				t.Errorf("%v, want %v", subjects, order)
			}
		}
		if got.String() != want {
			t.Errorf("another order of events gives\n%swant\n%s", &got, want)
		}
	}
}

// TestForgersDoNotChooseTheClient: a forger sends mail to honest receivers, and chooses
// local part, HELO name and a name below a listed domain, so that names would be read
// with the address of a victim. What can be read so does not count.
func TestForgersDoNotChooseTheClient(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 7))
	forger, victim := netip.MustParseAddr("203.0.113.7"), "9.9.8.7"
	words := []string{
		victim, "7.8.9.9", "in-addr", "CL", "cl", "FD", "1", "2", "HE", "LP", "FR", "brand.example", "a@brand.example", "x",
		strings.Repeat("a", 60), "ip6", victim + ".in-addr.CL", "CL." + victim + ".FR.a@brand.example.HE", "_spf", "example", "net",
	}
	text := func(n int) string {
		var parts []string
		for range 1 + random.IntN(n) {
			parts = append(parts, words[random.IntN(len(words))])
		}
		return strings.Join(parts, ".")
	}
	s := spftrack.Settings{Zone: "_spf.example.net"}
	var row eventrow.Row
	var builder eventrow.Builder
	counted := 0
	for _, layout := range []spftrack.Layout{spftrack.Beacon, spftrack.Track, spftrack.Exists, spftrack.Classic} {
		for _, known := range []func(string) bool{nil, func(d string) bool {
			_, ok := testListed(d)
			return ok && (d == "brand.example" || d == "shop.example")
		}} {
			p := spftrack.NewParser(s.Zone, []spftrack.Layout{layout}, known)
			for range 400 {
				c := spftrack.Check{IP: forger, Sender: text(4) + "@" + text(4) + ".brand.example", HELO: text(12)}
				if random.IntN(2) == 0 {
					c.Sender = text(6) + "@brand.example"
				}
				queries, err := spftrack.Queries(layout, s, c)
				if err != nil {
					continue
				}
				for _, q := range queries[1:] {
					name, err := q.Wire()
					if err != nil {
						continue
					}
					e := spftrack.Event{Parsed: p.Parse(name, q.Type), Zone: string(s.Zone)}
					builder.Reset()
					builder.Fill(&row, &e)
					if !readable(row.Flags) || e.Kind != spftrack.KindExists && e.Kind != spftrack.KindExp && e.Kind != spftrack.KindClassic {
						continue
					}
					if counted++; e.ClientIP != forger {
						t.Fatalf("%s: the forger %s has %s counted, by the name %s, of %+v", layout, forger, e.ClientIP, q.Name, c)
					}
				}
			}
		}
	}
	if counted < 200 {
		t.Errorf("only %d names counted", counted)
	}
}

// TestPrefixLists reads lists of prefixes, and that of public resolvers.
func TestPrefixLists(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.0/24 # own\n\n# all\n ip4:5.5.0.1\nip6:2a00::/32": "",
		"192.0.2.0/24\n192.0.2.1/24":                               "allow.txt:2: not a prefix",
		"include:_spf.example.net":                                 "allow.txt:1: not a prefix",
	} {
		var p Prefixes
		err := readPrefixes([]byte(text), "allow.txt", p.Add)
		if want == "" && (err != nil || p.Len() != 3) || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v, %d prefixes", text, err, p.Len())
		}
	}
	s := Settings{Allow: []Source{{File: t.TempDir() + "/none"}}}
	if _, err := s.Rules(testListed); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a missing file: %v", err)
	}
	for _, resolver := range []string{"8.8.8.8", "172.253.1.1", "2a00:1450:4001:c1e::101", "162.158.84.1", "208.67.217.1", "9.9.9.9"} {
		if _, place, ok := testRules(t).Public.Find(netip.MustParseAddr(resolver)); !ok || !strings.HasPrefix(place, "public resolvers:") {
			t.Errorf("%s is no public resolver", resolver)
		}
	}
}
