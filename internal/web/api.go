package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
)

const (
	paramFormat = "format"
	paramPer    = "per"
	paramLimit  = "limit"
)

// endpoint is a path of the API. Its answers are those of the commands nullspf log.
type endpoint struct {
	path, summary string
	// filtered: it takes the filters. others are its own parameters.
	filtered bool
	others   []string
	// csv: it writes CSV, too.
	csv   bool
	write func(ctx context.Context, w *Server, f *filter, format forgerylog.Format, out io.Writer) error
}

// parameters are those that an endpoint takes.
func (e *endpoint) parameters() (list []string) {
	if e.filtered {
		list = append(list, filterParams...)
	}
	list = append(list, e.others...)
	if e.csv {
		list = append(list, paramFormat)
	}
	return list
}

// apiDescription is where the description of the API is.
const apiDescription = "/api/v1/openapi.json"

var endpoints = []*endpoint{
	{path: "/api/v1/timeline", summary: "Events by minute, hour or day.", filtered: true, others: []string{paramPer}, csv: true, write: apiTimeline},
	{path: "/api/v1/top", summary: "The most frequent values of a field, or of two together.", filtered: true, others: []string{paramBy, paramSize}, csv: true, write: apiTop},
	{path: "/api/v1/events", summary: "The newest events, in order of time; as JSON an object a line.", filtered: true, others: []string{paramLimit}, csv: true, write: apiEvents},
	{path: "/api/v1/journals", summary: "What each journal directory holds.", csv: true, write: apiJournals},
}

// The description holds the list of endpoints, so it joins them late.
func init() {
	endpoints = append(endpoints, &endpoint{path: apiDescription, summary: "This description, as OpenAPI 3.1.", write: apiOpen})
}

// answer makes the handler of an endpoint.
func (w *Server) answer(e *endpoint) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		err := w.answerTo(rw, r, e)
		status := http.StatusInternalServerError
		switch {
		case err == nil || r.Context().Err() != nil:
			return
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
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(map[string]string{"error": visible(err.Error())})
}

func (w *Server) answerTo(rw http.ResponseWriter, r *http.Request, e *endpoint) error {
	f, err := w.asked(r, e.parameters()...)
	if err != nil {
		return err
	}
	if !e.filtered {
		for _, name := range filterParams {
			if f.get(name) != "" {
				return badRequest{fmt.Errorf("%s takes no parameter %s", e.path, name)}
			}
		}
	}
	format := forgerylog.JSON
	switch text := f.get(paramFormat); text {
	case "", "json":
	case "csv":
		format = forgerylog.CSV
	default:
		return badRequest{fmt.Errorf("%s: use json or csv", paramFormat)}
	}
	rw.Header().Set("Content-Type", "application/json")
	if format == forgerylog.CSV {
		name := e.path[strings.LastIndexByte(e.path, '/')+1:]
		rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
		rw.Header().Set("Content-Disposition", `attachment; filename="nullspf-`+name+`.csv"`)
	}
	return e.write(r.Context(), w, f, format, rw)
}

// whole passes over what could not be read, which the header field Nullspf-Incomplete
// tells.
func whole(out io.Writer, err error) error {
	if !errors.As(err, new(*forgerylog.Incomplete)) {
		return err
	}
	if rw, ok := out.(http.ResponseWriter); ok {
		rw.Header().Set("Nullspf-Incomplete", "some events could not be read; see nullspf log check")
	}
	return nil
}

func apiTimeline(ctx context.Context, _ *Server, f *filter, format forgerylog.Format, out io.Writer) error {
	per := f.get(paramPer)
	if per == "" {
		per = string(forgerylog.Hour)
	}
	unit, err := forgerylog.ParseUnit(strings.ToLower(per))
	if err != nil {
		return badRequest{fmt.Errorf("%s: %w", paramPer, err)}
	}
	series, err := f.log.Timeline(ctx, f.Query, unit)
	if err := whole(out, err); err != nil {
		return err
	}
	return forgerylog.WriteSeries(out, format, series, 0)
}

func apiTop(ctx context.Context, w *Server, f *filter, format forgerylog.Format, out io.Writer) error {
	by, n, err := w.rankingAsked(f)
	if err != nil {
		return err
	}
	ranking, err := f.log.Top(ctx, f.Query, by, n)
	if err := whole(out, err); err != nil {
		return err
	}
	return forgerylog.WriteRanking(out, format, ranking)
}

func apiEvents(ctx context.Context, _ *Server, f *filter, format forgerylog.Format, out io.Writer) error {
	limit := paged
	if text := f.get(paramLimit); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > most {
			return badRequest{fmt.Errorf("%s: use a number from 1 to %d", paramLimit, most)}
		}
	}
	var rows []eventrow.Row
	rows, err := newestEvents(ctx, f.log, f.Query, limit)
	if err := whole(out, err); err != nil {
		return err
	}
	events := forgerylog.NewEventWriter(out, format, f.Query, nil)
	for i := range rows {
		if err := events.Write(&rows[i]); err != nil {
			return err
		}
	}
	return events.Flush()
}

func apiJournals(ctx context.Context, _ *Server, f *filter, format forgerylog.Format, out io.Writer) error {
	stats, err := f.log.Stats(ctx)
	if err := whole(out, err); err != nil {
		return err
	}
	return forgerylog.WriteStats(out, format, stats)
}

// described says what a parameter is.
var described = map[string]string{
	paramSince:    "Only events since this time: RFC 3339, a date, today, yesterday, or a duration before now such as 7d; all for the whole log. Default " + defaultSince + ".",
	paramUntil:    "Only events before this time.",
	paramDomain:   "Only forged domains that contain this text, or are it, with = before it.",
	paramSender:   "Only senders, local@domain, that contain this text, or are it, with = before it.",
	paramHELO:     "Only HELO names that contain this text, or are it, with = before it.",
	paramIP:       "Only clients with this address, or in this prefix.",
	paramResolver: "Only queries from this address.",
	paramSource:   "Only events from this source: spf, smtp, dmarc or maillog.",
	paramPackets:  "1 for every event instead of one for each attempt.",
	paramBy:       "The field: ip, net, sender, helo, domain, resolver, as, country; or two with a comma between. Default ip.",
	paramSize:     "How many values at most.",
	paramPer:      "The unit: minute, hour or day. Default hour.",
	paramLimit:    "How many events at most.",
	paramFormat:   "json or csv.",
}

// apiOpen writes the description of the API.
func apiOpen(_ context.Context, w *Server, _ *filter, _ forgerylog.Format, out io.Writer) error {
	type object = map[string]any
	failure := object{"description": "What is wrong.", "content": object{"application/json": object{"schema": object{
		"type": "object", "properties": object{"error": object{"type": "string"}}, "required": []string{"error"},
	}}}}
	paths := object{}
	for _, e := range endpoints {
		parameters := []object{}
		for _, name := range e.parameters() {
			parameters = append(parameters, object{"name": name, "in": "query", "required": false, "description": described[name], "schema": object{"type": "string"}})
		}
		content := object{"application/json": object{}}
		if e.csv {
			content["text/csv"] = object{}
		}
		paths[e.path] = object{"get": object{
			"summary": e.summary, "parameters": parameters,
			"responses": object{"200": object{"description": "The answer.", "content": content}, "400": failure, "503": failure},
		}}
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(object{
		"openapi": "3.1.0",
		"info":    object{"title": "nullspf", "version": w.Version, "description": "Questions about the forgery log. Nothing can be changed."},
		"paths":   paths,
	})
}
