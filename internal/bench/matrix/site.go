package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// site is nullspfd with a tracking zone for each layout.
type site struct {
	dir     string // of the implementations
	work    string
	journal string
	track   *peers.Server
}

// The explanation that nullspfd gives, and what a receiver shows of it.
const explain, explained = "Mail%_from%_%{d}%_is%_forged", "is forged"

// tracked are the layouts that have a tracking zone.
var tracked = slices.DeleteFunc(slices.Clone(spftrack.Layouts), func(l spftrack.Layout) bool { return l == spftrack.Plain })

func zoneOf(l spftrack.Layout) dnsname.Name { return dnsname.Name("_spf." + string(l) + ".example") }

// silentZoneOf is a tracking zone whose nameservers never answer.
func silentZoneOf(l spftrack.Layout) dnsname.Name {
	return dnsname.Name("_spf.silent-" + string(l) + ".example")
}

func newSite(ctx context.Context, dir string) (*site, error) {
	work, err := os.MkdirTemp("", "matrix")
	if err != nil {
		return nil, err
	}
	s := &site{dir: dir, work: work, journal: filepath.Join(work, "journal")}
	program, err := peers.BuildNullspfd(ctx, work)
	if err != nil {
		return nil, err
	}
	at := netip.MustParseAddrPort("127.0.1.1:53")
	var conf strings.Builder
	for _, l := range tracked {
		fmt.Fprintf(&conf, "%s:%d {\n\tbind %s\n\tspftrack {\n\t\tnameservers ns1.example.net\n\t\tlayouts %s\n\t\texplain %q\n\t}\n\tjournal %s\n}\n",
			zoneOf(l), at.Port(), at.Addr(), l, explain, s.journal)
	}
	corefile := filepath.Join(work, "Corefile")
	if err := os.WriteFile(corefile, []byte(conf.String()), 0o644); err != nil {
		return nil, err
	}
	s.track, err = peers.Start(ctx, peers.Config{Kind: peers.Nullspfd, Address: at, Program: program, Include: []string{corefile}})
	return s, err
}

func (s *site) stop() {
	if err := s.track.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(s.work)
}

// readJournal gives each cell the attempt that was recorded of its message.
func (s *site) readJournal(ctx context.Context, seats []*seat) error {
	// Events are readable 50 ms after their answer.
	time.Sleep(time.Second)
	cells := make(map[string]*cell)
	for _, st := range seats {
		for _, c := range st.cells {
			cells[c.message.domain()] = c
		}
	}
	return forgerylog.Open([]string{s.journal}, journal.ReadOptions{}).Events(ctx, forgerylog.Query{}, 0, func(row *eventrow.Row) error {
		if c := cells[row.ForgedDomain]; c != nil {
			c.record(row)
		}
		return nil
	})
}

// record notes what an attempt tells.
func (c *cell) record(row *eventrow.Row) {
	m := &c.message
	c.attempts++
	c.client = c.client || row.ClientIP == m.ip
	c.sender = c.sender || row.SenderLocal == m.local
	c.helo = c.helo || row.HELO == m.helo
}

// inOrder sorts the questions by time.
func inOrder(list []question) []question {
	slices.SortStableFunc(list, func(a, b question) int { return cmp.Compare(a.at, b.at) })
	return list
}
