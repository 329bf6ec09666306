package forgerylog

import (
	"fmt"
	"testing"
	"time"

	"nullspf/spftrack"
)

// TestJoin: a check that asked two nameservers counts once, in each query, sealed
// or not; each journal alone counts what it has.
func TestJoin(t *testing.T) {
	const checks = 20
	servers := make([][]check, 2)
	for i := range checks {
		c := check{
			at: time.Duration(i) * time.Second, ip: fmt.Sprintf("192.0.2.%d", i%4+1), local: fmt.Sprint("u", i), helo: "h",
			domain: fmt.Sprintf("d%d.example", i/4), resolver: "198.51.100.53",
		}
		c.only = spftrack.KindExists
		servers[i%2] = append(servers[i%2], c)
		c.only, c.at, c.resolver = spftrack.KindExp, c.at+100*time.Millisecond, "2001:db8:53::53"
		servers[1-i%2] = append(servers[1-i%2], c)
	}
	for _, sealed := range []string{"", "1", "2", "12"} {
		t.Run("sealed "+sealed, func(t *testing.T) {
			t.Parallel()
			var dirs []string
			for i := range servers {
				s := testSettings(t.TempDir())
				s.Server = fmt.Sprintf("ns%d.example.net", i+1)
				for _, c := range sealed {
					if int(c-'1') == i {
						s = sealSoon(s)
					}
				}
				write(t, s, servers[i]...)
				if rows := eventsOf(t, open(s.Dir), Query{}, 0); len(rows) != checks {
					t.Errorf("%d attempts in journal %d alone, want %d", len(rows), i+1, checks)
				}
				dirs = append(dirs, s.Dir)
			}
			e := open(dirs...)
			for _, limit := range []int{0, 1000} {
				rows := eventsOf(t, e, Query{}, limit)
				for i := range rows {
					if r := &rows[i]; r.Kind != "exp" || r.SenderLocal != fmt.Sprint("u", i) || !r.Attempt || r.Flags != "exists" {
						t.Errorf("limit %d, attempt %d: %+v", limit, i, r)
					}
				}
				if len(rows) != checks {
					t.Errorf("limit %d: %d attempts, want %d", limit, len(rows), checks)
				}
			}
			retries := 0
			for _, r := range eventsOf(t, e, Query{Packets: true}, 0) {
				if !r.Attempt && r.Flags == "retry" {
					retries++
				}
			}
			if retries != checks {
				t.Errorf("%d retries, want %d", retries, checks)
			}
			for _, q := range []struct {
				Query
				want uint64
			}{
				{Query{}, checks},
				{Query{Domain: ParseDomain("=d1.example")}, 4},
				{Query{Kinds: []spftrack.Kind{spftrack.KindExists}}, checks},
				{Query{Kinds: []spftrack.Kind{spftrack.KindExp}}, checks},
				{Query{Kinds: []spftrack.Kind{spftrack.KindClassic}}, 0},
				{Query{Since: testTime.Add(4050 * time.Millisecond), Until: testTime.Add(4150 * time.Millisecond)}, 1},
			} {
				ranking, err := e.Top(t.Context(), q.Query, ByIP, 10)
				if err != nil || ranking.Total != q.want {
					t.Errorf("%+v: top counts %+v, %v; want %d", q.Query, ranking, err, q.want)
				}
				series, err := e.Timeline(t.Context(), q.Query, Minute)
				if err != nil || series.Total != q.want {
					t.Errorf("%+v: timeline counts %+v, %v; want %d", q.Query, series, err, q.want)
				}
			}
		})
	}
}
