package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/forgerylog"
)

const (
	paramFormat = "format"
	paramPer    = "per"
	paramLimit  = "limit"
	paramTier   = "tier"
)

// endpoint is a path of the API. Its answers are those of the commands nullspf log.
type endpoint struct {
	path, summary string
	// filtered: it takes the filters. others are its own parameters.
	filtered bool
	others   []string
	// formats are what it writes, the first unless asked for another; nil is JSON only, of
	// which no line is logged.
	formats []string
	// download: it can take long, and is sent as it is read.
	download bool
	write    func(*call) error
}

// parameters are those that an endpoint takes.
func (e *endpoint) parameters() (list []string) {
	if e.filtered {
		list = append(list, filterParams...)
	}
	list = append(list, e.others...)
	if len(e.formats) > 0 {
		list = append(list, paramFormat)
	}
	return list
}

// name is the last part of the path.
func (e *endpoint) name() string { return e.path[strings.LastIndexByte(e.path, '/')+1:] }

// mediaType is that of a format.
func (e *endpoint) mediaType(format string) string {
	switch format {
	case "csv":
		return "text/csv; charset=utf-8"
	case "parquet":
		return "application/vnd.apache.parquet"
	case "json", "stix", "":
		if e.path == apiExport {
			return "application/jsonl"
		}
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// ending is that of the name of a file in a format.
func (e *endpoint) ending(format string) string {
	switch {
	case format == "json" && e.path == apiExport:
		return "jsonl"
	case format == "stix":
		return "stix.json"
	case slices.Contains([]string{"csv", "json", "parquet"}, format):
		return format
	}
	return format + ".txt"
}

// call is a request to an endpoint.
type call struct {
	*Server
	ctx    context.Context
	f      *filter
	format string
	out    http.ResponseWriter
	// begun: the answer has begun, so that it is logged; rows are the values or events that
	// were written.
	begun bool
	rows  int
}

const (
	apiEventsPath = "/api/v1/events"
	apiTopPath    = "/api/v1/top"
	apiExport     = "/api/v1/export"
	apiBlockList  = "/api/v1/blocklist"
	// apiDescription is where the description of the API is.
	apiDescription = "/api/v1/openapi.json"
)

var jsonOrCSV = []string{"json", "csv"}

var endpoints = []*endpoint{
	{path: "/api/v1/timeline", summary: "Events by minute, hour or day.", filtered: true, others: []string{paramPer}, formats: jsonOrCSV, write: (*call).timeline},
	{path: apiTopPath, summary: "The most frequent values of a field, or of two together.", filtered: true, others: []string{paramBy, paramSize}, formats: jsonOrCSV, write: (*call).top},
	{path: apiEventsPath, summary: "The newest events, in order of time; as JSON an object a line.", filtered: true, others: []string{paramLimit}, formats: jsonOrCSV, write: (*call).events},
	{path: apiExport, summary: "All events, in order of time, as they are read; as JSON an object a line. When events could not be read, the trailer Nullspf-Incomplete says so; an answer that is cut is not whole.", filtered: true, formats: []string{"csv", "json", "parquet"}, download: true, write: (*call).export},
	{path: apiBlockList, summary: "A block list of addresses that forge mail, for another program; of whoever may see addresses.", others: []string{paramTier}, formats: strings.Split(blocklist.FormatNames(), ", "), download: true, write: (*call).blockList},
	{path: "/api/v1/journals", summary: "What each journal directory holds.", formats: jsonOrCSV, write: (*call).journals},
}

// The description holds the list of endpoints, so it joins them late.
func init() {
	endpoints = append(endpoints, &endpoint{path: apiDescription, summary: "This description, as OpenAPI 3.1.", write: (*call).describe})
}

// endpoints are those of these pages.
func (w *Server) endpoints() (list []*endpoint) {
	for _, e := range endpoints {
		if e.path != apiBlockList || w.BlockList != nil {
			list = append(list, e)
		}
	}
	return list
}

// answer makes the handler of an endpoint.
func (w *Server) answer(e *endpoint) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		sent := newBounded(rw)
		c := &call{Server: w, ctx: r.Context(), out: sent}
		err := c.answer(r, e)
		if c.begun {
			w.audit(r, e, c, sent.bytes, err == nil && r.Context().Err() == nil)
		}
		status := http.StatusInternalServerError
		switch {
		case err == nil || r.Context().Err() != nil:
			return
		case sent.bytes > 0:
			w.Logger.Warn().Err(err).Str("path", e.path).Msg("an answer was cut")
			panic(http.ErrAbortHandler) // so that nobody takes what was sent for the whole
		case errors.As(err, new(badRequest)):
			status = http.StatusBadRequest
		case errors.Is(err, errBusy), errors.Is(err, context.DeadlineExceeded):
			status, err = http.StatusServiceUnavailable, errBusy
		default:
			w.Logger.Warn().Err(err).Str("path", e.path).Msg("a request failed")
		}
		failAPI(rw, status, err)
	}
}

// failAPI writes what is wrong.
func failAPI(rw http.ResponseWriter, status int, err error) {
	rw.Header().Del("Content-Disposition")
	rw.Header().Del("Trailer")
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]string{"error": visible(err.Error())})
}

func (c *call) answer(r *http.Request, e *endpoint) (err error) {
	if c.f, err = c.askedFor(r, e.parameters()); err != nil {
		return err
	}
	if c.format = c.f.get(paramFormat); len(e.formats) > 0 && c.format == "" {
		c.format = e.formats[0]
	}
	if len(e.formats) > 0 && !slices.Contains(e.formats, c.format) {
		return badRequest{fmt.Errorf("%s: use one of %s", paramFormat, strings.Join(e.formats, ", "))}
	}
	h := c.out.Header()
	h.Set("Content-Type", e.mediaType(c.format))
	if e.download || c.format == "csv" {
		h.Set("Content-Disposition", `attachment; filename="nullspf-`+e.name()+"."+e.ending(c.format)+`"`)
	}
	if len(e.formats) > 0 && r.Method == http.MethodHead {
		return nil
	}
	if e.download {
		done, err := c.wait()
		if err != nil {
			return err
		}
		defer done()
	}
	c.begun = len(e.formats) > 0
	return e.write(c)
}

// whole passes over what could not be read, which the header field Nullspf-Incomplete
// tells; behind an answer that has begun, if it is announced as a trailer.
func (c *call) whole(err error) error {
	if !errors.As(err, new(*forgerylog.Incomplete)) {
		return err
	}
	c.out.Header().Set(incomplete, "some events could not be read; see nullspf log check")
	return nil
}

// incomplete is the header field that tells of events that could not be read.
const incomplete = "Nullspf-Incomplete"

func (c *call) timeline() error {
	per := c.f.get(paramPer)
	if per == "" {
		per = string(forgerylog.Hour)
	}
	unit, err := forgerylog.ParseUnit(strings.ToLower(per))
	if err != nil {
		return badRequest{fmt.Errorf("%s: %w", paramPer, err)}
	}
	series, err := c.f.log.Timeline(c.ctx, c.f.Query, unit)
	if err := c.whole(err); err != nil {
		return err
	}
	c.rows = len(series.Buckets)
	return forgerylog.WriteSeries(c.out, forgerylog.Format(c.format), series, 0)
}

func (c *call) top() error {
	by, n, err := c.rankingAsked(c.f)
	if err != nil {
		return err
	}
	ranking, err := c.f.log.Top(c.ctx, c.f.Query, by, n)
	if err := c.whole(err); err != nil {
		return err
	}
	c.rows = len(ranking.Ranks)
	return forgerylog.WriteRanking(c.out, forgerylog.Format(c.format), ranking)
}

func (c *call) events() error {
	limit := paged
	if text := c.f.get(paramLimit); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > most {
			return badRequest{fmt.Errorf("%s: use a number from 1 to %d", paramLimit, most)}
		}
	}
	rows, err := newestEvents(c.ctx, c.f.log, c.f.Query, limit)
	if err := c.whole(err); err != nil {
		return err
	}
	events := forgerylog.NewEventWriter(c.out, forgerylog.Format(c.format), c.f.Query, nil)
	for i := range rows {
		if err := events.Write(&rows[i]); err != nil {
			return err
		}
	}
	c.rows = len(rows)
	return events.Flush()
}

func (c *call) journals() error {
	stats, err := c.f.log.Stats(c.ctx)
	if err := c.whole(err); err != nil {
		return err
	}
	c.rows = len(stats)
	return forgerylog.WriteStats(c.out, forgerylog.Format(c.format), stats)
}

// described says what a parameter is.
var described = map[string]string{
	paramSince:    "Only events since this time: RFC 3339, a date, today, yesterday, or a duration before now such as 7d; all for the whole log. Default " + defaultSince + ".",
	paramUntil:    "Only events before this time.",
	paramDomain:   "Only forged domains that contain this text, or are it, with = before it.",
	paramSender:   "Only senders, local@domain, that contain this text, or are it, with = before it.",
	paramHELO:     "Only HELO names that contain this text, or are it, with = before it.",
	paramIP:       "Only clients with this address, or in this prefix.",
	paramAS:       "Only clients in this autonomous system: its number, such as AS64500, or with the name behind it.",
	paramCountry:  "Only clients in this country, such as DE.",
	paramResolver: "Only queries from this address.",
	paramSource:   "Only events from this source: spf, smtp, dmarc or maillog.",
	paramPackets:  "1 for every event instead of one for each attempt.",
	paramBy:       "The field: ip, net, sender, helo, domain, resolver, as, country; or two with a comma between. Default ip.",
	paramSize:     "How many values at most.",
	paramPer:      "The unit: minute, hour or day. Default hour.",
	paramLimit:    "How many events at most.",
	paramFormat:   "The format.",
	paramTier:     "Addresses of this tier or a higher one: confirmed, corroborated. Default confirmed.",
}

// describe writes the description of the API.
func (c *call) describe() error {
	type object = map[string]any
	failure := object{"description": "What is wrong.", "content": object{"application/json": object{"schema": object{
		"type": "object", "properties": object{"error": object{"type": "string"}}, "required": []string{"error"},
	}}}}
	paths := object{}
	for _, e := range c.endpoints() {
		parameters := []object{}
		for _, name := range e.parameters() {
			schema := object{"type": "string"}
			if name == paramFormat {
				schema["enum"] = e.formats
			}
			parameters = append(parameters, object{"name": name, "in": "query", "required": false, "description": described[name], "schema": schema})
		}
		content := object{}
		for _, format := range append(e.formats, "")[:max(len(e.formats), 1)] {
			mediaType, _, _ := strings.Cut(e.mediaType(format), ";")
			content[mediaType] = object{}
		}
		paths[e.path] = object{"get": object{
			"summary": e.summary, "parameters": parameters,
			"responses": object{
				"200": object{"description": "The answer.", "content": content},
				"400": failure, "401": failure, "403": failure, "429": failure, "503": failure,
			},
		}}
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(object{
		"openapi": "3.1.0",
		"info":    object{"title": "nullspf", "version": c.Version, "description": "Questions about the forgery log. Nothing can be changed."},
		"paths":   paths,
		"components": object{"securitySchemes": object{
			"basic":  object{"type": "http", "scheme": "basic", "description": "Name and password of a user, when there is a login."},
			"cookie": object{"type": "apiKey", "in": "cookie", "name": cookieName, "description": "The session of a browser that has logged in."},
		}},
		"security": []object{{}, {"basic": []string{}}, {"cookie": []string{}}},
	})
}
