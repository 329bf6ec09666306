package web

import (
	"context"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"time"

	"nullspf/internal/chart"
	"nullspf/internal/contain"
	"nullspf/internal/control"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/report"
)

// trouble is something that is wrong, and what to do.
type trouble struct{ What, Do string }

// remedies say what to do when events are lost for a reason.
var remedies = map[journal.Reason]string{
	journal.LostRingFull: "Events came faster than the disk took them: put the journal on a faster disk.",
	journal.LostDiskFull: "Make room on the disk, or set max_size of the journal in the Corefile.",
	journal.LostReadOnly: "Make the directory writable for nullspfd; a file system that became read-only has met an error, which the kernel's log tells.",
	journal.LostIOError:  "The disk fails: look at the kernel's log, and replace it.",
	journal.LostStalled:  "The disk did not answer: look at the kernel's log, and at what else uses the disk.",
	journal.LostInvalid:  "Names longer than 255 bytes are no names: nothing is to be done.",
	journal.LostShutdown: "nullspfd was ended before it had written everything: let it end by itself, with SIGTERM.",
}

// journalView is the state of a journal directory.
type journalView struct {
	forgerylog.JournalStats
	Dir, Server   string
	Lost, Damaged uint64
	First, Last   time.Time
}

// healthView is what is wrong, and the journals.
type healthView struct {
	Troubles []trouble
	Journals []journalView
	// Servers is how many servers were asked.
	Servers int
}

// overviewPatience is how long the overview waits for a server.
const overviewPatience = time.Second

func (s *sections) health() error {
	stats, err := s.f.log.Stats(s.ctx)
	if err := s.excuse(err); err != nil {
		return err
	}
	var v healthView
	for _, j := range stats {
		dir := visible(j.Dir)
		view := journalView{JournalStats: j, Dir: dir, Server: eventrow.Shown(j.Server), Damaged: j.Gaps[journal.GapDamaged] + j.Gaps[journal.GapMissing]}
		for reason, n := range j.Lost {
			if n > 0 {
				view.Lost += n
				v.Troubles = append(v.Troubles, trouble{fmt.Sprintf("%s: %s were answered but not stored (%s).", dir, report.Digits(n)+" events", journal.Reason(reason)), remedies[journal.Reason(reason)]})
			}
		}
		if n := view.Damaged; n > 0 {
			v.Troubles = append(v.Troubles, trouble{fmt.Sprintf("%s: %s events cannot be read.", dir, report.Digits(n)), "nullspf log check --journal " + dir + " names the files; restore them from a copy of the directory if there is one."})
		}
		if j.Events > 0 {
			view.First, view.Last = time.Unix(0, j.First), time.Unix(0, j.Last)
		}
		v.Journals = append(v.Journals, view)
	}
	for _, server := range s.w.status(s.ctx, overviewPatience) {
		v.Servers++
		switch {
		case server.Error != "":
			v.Troubles = append(v.Troubles, trouble{"A server cannot be asked: " + server.Error + ".", server.Remedy()})
		case len(server.Problems) > 0:
			v.Troubles = append(v.Troubles, trouble{"The server at " + server.At + ": " + strings.Join(server.Problems, "; ") + ".", "nullspf server status tells more; the log of nullspfd says why."})
		}
	}
	s.show("health", v)
	return nil
}

// status asks the servers, all at once.
func (w *Server) status(ctx context.Context, patience time.Duration) []serverView {
	list := make([]serverView, len(w.Sockets)+len(w.Metrics))
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var running sync.WaitGroup
	for i := range list {
		v := &list[i]
		var read func(context.Context, string) (*control.Status, error)
		var at string
		if i < len(w.Sockets) {
			at, read = w.Sockets[i], readSocket
		} else {
			at, read, v.Remote = w.Metrics[i-len(w.Sockets)], readMetrics, true
		}
		v.At = visible(at)
		running.Go(func() {
			var status *control.Status
			err := contain.Run(func() (err error) { status, err = read(asking, at); return err })
			if err != nil {
				v.Error = visible(err.Error())
				return
			}
			v.Status = status
			for i := range status.Problems {
				status.Problems[i] = visible(status.Problems[i])
			}
			v.Version, v.Reloads.Error = visible(v.Version), visible(v.Reloads.Error)
		})
	}
	running.Wait()
	return list
}

// readSocket asks the nullspfd at a control socket.
func readSocket(ctx context.Context, path string) (*control.Status, error) {
	client := control.NewClient(path)
	defer client.Close()
	return client.Status(ctx)
}

// sourceView is how much came from a source, and when.
type sourceView struct {
	Source, Counted, Link, Change string
	Total                         uint64
	// SVG is its chart, "" for the source that the page's chart shows, and for nothing.
	SVG template.HTML
}

// sources shows how much came from each source. They have a chart each, because they count
// different things, of which one forged mail may leave several.
func (s *sections) sources() error {
	if s.f.Source != "" || s.f.Packets {
		return nil
	}
	var list []sourceView
	for _, source := range forgerylog.Sources {
		q := s.f.Query
		q.Source = source
		v := sourceView{Source: string(source), Counted: q.Counted(), Link: s.f.link("/", paramSource, string(source))}
		if source == forgerylog.FromSPF {
			q.Source = "" // the same, which the chart has asked for already
		}
		now, err := s.timeline(q)
		if err != nil {
			return err
		}
		v.Total = now.Total
		if source != forgerylog.FromSPF && v.Total > 0 {
			before, err := s.before(q)
			if err != nil {
				return err
			}
			if before != nil {
				v.Change = report.Counts{Now: v.Total, Before: before.Total}.Change()
			}
			bars, unit := s.bars(now, before, paramSource, string(source))
			if v.SVG, err = chart.Small.Draw(fmt.Sprintf("%ss by %s, %s", v.Counted, unit, source), bars); err != nil {
				return err
			}
		}
		list = append(list, v)
	}
	s.show("sources", list)
	return nil
}

// newcomers shows the clients that the log has not seen before the last day of the period.
func (s *sections) newcomers() error {
	_, until := s.f.period(time.Time{})
	q := s.f.Query
	if day := until.Add(-24 * time.Hour); q.Since.Before(day) {
		q.Since = day
	}
	ranking, err := s.f.log.Newcomers(s.ctx, q, forgerylog.ByIP, ranked)
	if err := s.excuse(err); err != nil {
		return err
	}
	v := rankingOf(s.f, ranking, "/")
	v.Heading, v.Total = "New clients", 0
	v.More = s.f.link("/top", paramBy, string(forgerylog.ByIP), paramNew, "1", paramSince, q.Since.UTC().Format(time.RFC3339))
	s.show("newcomers", newcomersView{v, q.Since, until})
	return nil
}

type newcomersView struct {
	rankingView
	Since, Until time.Time
}
