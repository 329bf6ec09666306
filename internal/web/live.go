package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"nullspf/internal/eventrow"
)

const (
	// liveFirst is how many events a viewer sees at once.
	liveFirst = 30
	// liveAlive is how often a line without meaning keeps the connection.
	liveAlive = 15 * time.Second
	// liveWrite is how long a viewer may take to read what is sent.
	liveWrite = 20 * time.Second
)

type livePage struct {
	layout
	// Stream is where the events come from, Events the page without script.
	Stream, Events string
}

func (w *Server) livePage(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r)
	if err != nil {
		return err
	}
	return w.show(rw, "live.html", livePage{
		layout: w.layout(r, "Live", "/live", viewOf(f, "/live")),
		Stream: f.link("/live/events"), Events: f.link("/events"),
	})
}

// liveEvent is an event as script gets it: texts, and addresses of pages.
type liveEvent struct {
	Time  string    `json:"time"`
	Cells []liveRef `json:"cells"`
}

type liveRef struct {
	Text string `json:"text"`
	Link string `json:"link,omitempty"`
}

// liveEvents sends events as they come (Server-Sent Events), until the viewer leaves.
func (w *Server) liveEvents(rw http.ResponseWriter, r *http.Request) {
	f, err := w.asked(r)
	if err != nil {
		http.Error(rw, visible(err.Error()), http.StatusBadRequest)
		return
	}
	select {
	case w.live <- struct{}{}:
		defer func() { <-w.live }()
	default:
		http.Error(rw, fmt.Sprintf("%d viewers see live events already", viewers), http.StatusServiceUnavailable)
		return
	}
	h := rw.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(rw)
	send := func(format string, args ...any) error {
		_ = control.SetWriteDeadline(time.Now().Add(liveWrite))
		if _, err := fmt.Fprintf(rw, format, args...); err != nil {
			return err
		}
		return control.Flush()
	}
	q := f.Query
	q.Until = time.Time{}
	ctx := r.Context()
	batches := make(chan []liveEvent)
	ended := make(chan error, 1)
	go func() {
		ended <- w.Engine.Follow(ctx, q, liveFirst, func(rows []eventrow.Row) error {
			batch := make([]liveEvent, 0, len(rows))
			for i := range rows {
				batch = append(batch, liveOf(f, &rows[i]))
			}
			select {
			case batches <- batch:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	alive := time.NewTicker(liveAlive)
	defer alive.Stop()
	if err := send("retry: 5000\n\n"); err != nil {
		return
	}
	for {
		select {
		case batch := <-batches:
			text, err := json.Marshal(batch)
			if err != nil || send("data: %s\n\n", text) != nil {
				return
			}
		case <-alive.C:
			if send(":\n\n") != nil {
				return
			}
		case err := <-ended:
			if err != nil && !errors.Is(err, ctx.Err()) {
				text, _ := json.Marshal(visible(err.Error()))
				_ = send("event: failure\ndata: %s\n\n", text)
			}
			return
		}
	}
}

func liveOf(f *filter, r *eventrow.Row) liveEvent {
	v := eventOf(f, r)
	return liveEvent{v.Time.UTC().Format(time.RFC3339Nano), []liveRef{
		{v.Kind, ""}, {v.Client, v.ClientLink}, {v.Domain, v.DomainLink}, {v.Sender, v.SenderLink}, {v.HELO, v.HELOLink}, {v.Resolver, v.ResolverLink}, {v.Server, ""}, {v.Detail, ""},
	}}
}
