package forgerylog

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

// TestAnonymousCounts: what counts does not change when addresses and local parts are
// taken out of events, and networks are found by those that include them.
func TestAnonymousCounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var checks []check
	for i := range 300 {
		checks = append(checks, check{
			at: time.Duration(i) * 20 * time.Second, ip: []string{"203.0.113.7", "203.0.113.90", "198.51.100.3", "2001:db8:0:1::1"}[i%4],
			local: []string{"info", "j-doe", "no-reply"}[i%3], helo: []string{"pc", "dsl-7.isp.example"}[i%2], domain: []string{"brand.example", "shop.example"}[i%2],
		})
	}
	write(t, sealSoon(testSettings(dir)), checks...)
	log := Open([]string{dir}, journal.ReadOptions{})
	same := []Field{ByNet, ByDomain}
	counts := []Field{BySender, ByHELO, "domain,sender", "net,helo"}
	queries := []Query{{}, {Packets: true}, {Domain: ParseDomain("=brand.example")}, {Client: netip.MustParsePrefix("203.0.113.0/24")},
		{Client: netip.MustParsePrefix("2001:db8::/32")}, {Since: testTime.Add(time.Hour)}, {HELO: ParseText("=pc")}}
	ask := func() (answers []any) {
		for _, q := range queries {
			for _, f := range same {
				r, err := log.Top(t.Context(), q, f, 100)
				if err != nil {
					t.Fatal(err)
				}
				answers = append(answers, *r)
			}
			for _, f := range counts {
				r, err := log.Top(t.Context(), q, f, 100)
				if err != nil {
					t.Fatal(err)
				}
				for i := range r.Ranks {
					r.Ranks[i].Value = "" // another one, which counts as often
				}
				answers = append(answers, *r)
			}
			s, err := log.Timeline(t.Context(), q, Minute)
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, *s)
		}
		return answers
	}
	before := ask()
	done, err := journal.CompactDir(t.Context(), dir, journal.CompactOptions{RawSince: testTime.AddDate(0, 0, 2)})
	if err != nil || done.Anonymised == 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if diff := cmp.Diff(before, ask()); diff != "" {
		t.Errorf("before and after:\n%s", diff)
	}
	n := 0
	err = log.Events(t.Context(), Query{Packets: true}, 0, func(r *eventrow.Row) error {
		n++
		if _, err := netip.ParsePrefix(r.ClientIP); err != nil || r.SenderLocal != "" && r.SenderLocal[0] != '~' || r.RawName != "" {
			t.Errorf("%+v", r)
		}
		return nil
	})
	if err != nil || n != 600 {
		t.Errorf("%d events, %v", n, err)
	}
	for client, want := range map[string]uint64{"203.0.113.7/32": 0, "203.0.113.0/25": 0, "203.0.112.0/23": 150, "2001:db8::/48": 75, "2001:db8::/49": 0} {
		r, err := log.Top(t.Context(), Query{Client: netip.MustParsePrefix(client)}, ByIP, 9)
		if err != nil || r.Total != want {
			t.Errorf("%s: %+v, %v; want %d", client, r, err, want)
		}
	}
}
