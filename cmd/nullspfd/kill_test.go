package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/torture"
	"nullspf/spftrack"
)

// asked is what a client knows of its queries.
type asked struct {
	// answered is when the answer came; names that were asked are keys, those
	// without an answer have the zero time.
	answered map[string]time.Time
}

// askUntilDead asks different queries, one after the other, until no answer
// comes any more.
func askUntilDead(at, prefix string) (*asked, error) {
	conn, err := net.Dial("udp", at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	a := &asked{answered: make(map[string]time.Time)}
	for i := 0; ; i++ {
		m := new(dns.Msg)
		m.SetQuestion(fmt.Sprintf("%d.%s.CL.shop.example.FD.1._spf.example.net.", i, prefix), dns.TypeA)
		name := m.Question[0].Name
		a.answered[name] = time.Time{}
		if err := conn.SetDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			return nil, err
		}
		if c.WriteMsg(m) != nil {
			return a, nil
		}
		if _, err := c.ReadMsg(); err != nil {
			return a, nil
		}
		a.answered[name] = time.Now()
	}
}

// After kill -9 under load, every query that was answered 100 ms before is
// in the journal, none is there twice, and none that was not asked. On a machine where
// others make nullspfd wait, it is so much longer.
func TestKill(t *testing.T) {
	r := torture.Start(t, 0)
	rounds := 0
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "Corefile"), fmt.Sprintf(corefileText, "x", "127.0.0.1:0"))
	due := make(map[string]bool) // by name: must be there
	for ; r.More(4); rounds++ {
		round := rounds
		d := start(t, dir, "-conf", path)
		at := d.wait(t, "ready", 1)["listen"].([]any)[0].(string)
		worst, stop := torture.Stalls(t)
		margin := func() time.Duration { return 100*time.Millisecond + 3*worst() }
		began := time.Now()
		var group sync.WaitGroup
		results := make([]*asked, 4)
		for i := range results {
			group.Go(func() {
				var err error
				if results[i], err = askUntilDead(at, fmt.Sprintf("%d.%d", round, i)); err != nil {
					t.Error(err)
				}
			})
		}
		for life := 150*time.Millisecond + time.Duration(round%7)*11*time.Millisecond; time.Since(began) < life+margin(); {
			time.Sleep(time.Millisecond)
		}
		killed := time.Now()
		d.signal(t, syscall.SIGKILL)
		<-d.exited
		group.Wait()
		stop()
		for _, r := range results {
			for name, when := range r.answered {
				due[name] = !when.IsZero() && killed.Sub(when) >= margin()
			}
		}
	}

	// A last run seals and opens what the others left.
	d := start(t, dir, "-conf", path)
	d.wait(t, "ready", 1)
	d.signal(t, syscall.SIGTERM)
	if err := <-d.exited; err != nil {
		t.Fatal(err)
	}
	view, err := journal.Snapshot(filepath.Join(dir, "var"), journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	found := make(map[string]bool)
	note := func(name string) {
		if _, ok := due[name]; !ok {
			t.Errorf("an event that nobody caused: %s", name)
		}
		if found[name] {
			t.Errorf("an event that is there twice: %s", name)
		}
		found[name] = true
	}
	if err := readNames(view, note); err != nil {
		t.Fatal(err)
	}
	missing, must := 0, 0
	for name, is := range due {
		if is {
			must++
			if !found[name] {
				missing++
			}
		}
	}
	r.Count("kills", rounds)
	r.Count("queries asked", len(due))
	r.Count("events that must be there", must)
	t.Logf("%d rounds: %d queries asked, %d must be there, %d are there", rounds, len(due), must, len(found))
	if missing > 0 || must < 100 {
		t.Errorf("%d of %d events are missing", missing, must)
	}
}

// readNames calls yield with the name of every event of a journal.
func readNames(view *journal.View, yield func(name string)) error {
	for _, s := range view.Segments() {
		if err := s.Load(); err != nil {
			return err
		}
		for _, group := range s.RowGroups() {
			r := parquet.NewGenericRowGroupReader[eventrow.Row](group)
			defer r.Close()
			for rows := make([]eventrow.Row, 1000); ; {
				n, err := r.Read(rows)
				for _, row := range rows[:n] {
					yield(dns.Fqdn(row.Name()))
				}
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return view.Tail(func(e *spftrack.Event) error {
		name, _, err := dns.UnpackDomainName(e.Name, 0)
		yield(name)
		return err
	})
}
