package forgerylog

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"nullspf/internal/eventrow"
)

// newcomers are those of a judge.
func (j *judge) newcomers(q Query, by Field, n int) *Ranking {
	earlier := q
	earlier.Since, earlier.Until = time.Time{}, q.Since
	known := make(map[string]bool)
	for _, row := range j.selected(earlier) {
		known[textOf(row, by)] = true
	}
	r := j.top(q, by, math.MaxInt32)
	r.Ranks = slices.DeleteFunc(r.Ranks, func(k Rank) bool { return known[k.Value] })
	r.Distinct = uint64(len(r.Ranks))
	if r.Ranks = r.Ranks[:min(n, len(r.Ranks))]; len(r.Ranks) == 0 {
		r.Ranks = nil
	}
	return r
}

func (j *judge) profile(q Query, client netip.Addr) Profile {
	p := Profile{Client: client, First: math.MaxInt64, Last: math.MinInt64, Domains: make(map[string]uint64), Receivers: make(map[string]uint64)}
	ever := q
	ever.Since, ever.Until = time.Time{}, time.Time{}
	for _, row := range j.selected(ever) {
		if row.ClientIP != client.String() {
			continue
		}
		p.Total++
		p.First, p.Last = min(p.First, row.TS), max(p.Last, row.TS)
		at := time.Unix(0, row.TS)
		if at.Before(q.Since) || !q.Until.IsZero() && !at.Before(q.Until) {
			continue
		}
		p.Count++
		if row.ForgedDomain != "" {
			p.Domains[row.ForgedDomain]++
		}
		net := textOf(&eventrow.Row{ClientIP: row.Resolver}, ByNet)
		p.Receivers[net]++
	}
	return p
}

// TestNewcomers and TestProfiles hold the answers against plain reading.
func TestNewcomers(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 5))
	dir := judged(t, rng, 1200, 4)
	j, e := judgeOf(t, dir), open(dir)
	someNew := false
	for _, q := range judgedQueries(rng) {
		for _, since := range []time.Duration{-time.Hour, 20 * time.Hour, 36 * time.Hour, 24 * 1000 * time.Hour} {
			q.Since = testTime.Add(since)
			by, n := judgedFields[rng.IntN(len(judgedFields))], 1+rng.IntN(20)
			want := j.newcomers(q, by, n)
			someNew = someNew || len(want.Ranks) > 0 && since > 0
			if got, err := e.Newcomers(t.Context(), q, by, n); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("newcomers %d %s of %+v: %v\n%+v, want\n%+v", n, by, q, err, got, want)
			}
		}
	}
	if !someNew {
		t.Error("nothing was new")
	}
	if _, err := e.Newcomers(t.Context(), Query{}, ByIP, 1); err == nil {
		t.Error("new since no time")
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 6))
	dir := judged(t, rng, 1200, 4)
	j, e := judgeOf(t, dir), open(dir)
	for _, q := range judgedQueries(rng) {
		for _, r := range j.top(q, ByIP, 3).Ranks {
			q.Clients = append(q.Clients, netip.MustParseAddr(r.Value))
		}
		q.Clients = append(q.Clients, netip.MustParseAddr("198.51.100.99"))
		got, err := e.Profiles(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i, client := range q.Clients {
			if want := j.profile(q, client); !reflect.DeepEqual(got[i], want) {
				t.Fatalf("%+v of %+v:\n%+v, want\n%+v", client, q, got[i], want)
			}
		}
	}
	if _, err := e.Profiles(t.Context(), Query{}); err == nil {
		t.Error("profiles of nobody")
	}
}

// TestNoteKeepsItsTexts: the memory of a text that was counted is used again.
func TestNoteKeepsItsTexts(t *testing.T) {
	t.Parallel()
	counts := make(map[string]uint64)
	buf := []byte("shop.example")
	for range 2 {
		note(counts, unsafe.String(&buf[0], len(buf)), 1)
	}
	copy(buf, "XXXXXXXX")
	if len(counts) != 1 || counts["shop.example"] != 2 {
		t.Error(counts)
	}
}
