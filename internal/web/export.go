package web

import (
	"fmt"
	"net/http"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/forgerylog"
)

// downloads run at once; others wait for their turn.
const downloads = 2

// wait waits until a download may run, and returns what ends it. It takes no turn of a
// question, for which viewers wait, and has no limit of time.
func (c *call) wait() (func(), error) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case c.downloads <- struct{}{}:
		return func() { <-c.downloads }, nil
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	case <-wait.C:
		return nil, errBusy
	}
}

// export writes all events as they are read, so that they need no memory, and reading stops
// when the viewer leaves.
func (c *call) export() error {
	c.out.Header().Set("Trailer", incomplete)
	events := forgerylog.NewEventWriter(c.out, forgerylog.Format(c.format), c.f.Query, nil)
	err := c.Engine.Events(c.ctx, c.f.Query, 0, func(r *eventrow.Row) error {
		c.rows++
		return events.Write(r)
	})
	if err := c.whole(err); err != nil {
		return err
	}
	return events.Flush()
}

// blockList writes a block list.
func (c *call) blockList() error {
	least := tier.Confirmed
	if text := c.f.get(paramTier); text != "" {
		var err error
		if least, err = tier.Parse(text); err != nil {
			return badRequest{fmt.Errorf("%s: %w", paramTier, err)}
		}
	}
	format, err := blocklist.ParseFormat(c.format)
	if err != nil {
		return err
	}
	list, err := c.BlockList(c.ctx, least)
	if err := c.whole(err); err != nil {
		return err
	}
	var text []byte
	text, c.rows = format.Bytes(list)
	_, err = c.out.Write(text)
	return err
}

// audit logs who has taken what out of the log.
func (w *Server) audit(r *http.Request, e *endpoint, c *call, bytes int64, complete bool) {
	v := viewerOf(r)
	w.Logger.Info().Str("user", v.name).Str("role", string(v.role)).Stringer("address", v.from).Str("path", e.path).Str("filter", c.f.values.Encode()).
		Str("format", c.format).Int("rows", c.rows).Int64("bytes", bytes).Bool("complete", complete).Msg("export")
}

// downloadsPage offers what can be taken out of the log.
type downloadsPage struct {
	layout
	CSV, JSON, Parquet string
	// Tiers and Formats are the choices of block lists, none when there are none.
	Tiers   []tier.Tier
	Formats []*blocklist.Format
}

func (w *Server) downloadsPage(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r)
	if err != nil {
		return err
	}
	p := downloadsPage{
		layout: w.layout(r, "Downloads", "/downloads", viewOf(f, "/downloads")),
		CSV:    f.link(apiExport, paramFormat, "csv"), JSON: f.link(apiExport, paramFormat, "json"), Parquet: f.link(apiExport, paramFormat, "parquet"),
	}
	if w.BlockList != nil {
		p.Tiers, p.Formats = tier.Exported, blocklist.Formats
	}
	return w.show(rw, "downloads.html", p)
}
