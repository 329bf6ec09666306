package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
)

// question is asked of both.
type question struct {
	name string
	// ask gives rows, so that both answers can be compared.
	ask func(context.Context, forgerylog.Engine) ([][]string, error)
	// sql has $log for the segments and $ts for the time.
	sql string
	// cpu and wall are the greatest times allowed, as a part of DuckDB's; 0 for
	// none.
	cpu, wall float64
	// limit is the greatest wall time allowed, warm; 0 for none.
	limit time.Duration
}

const ranks = 20

// columnOf is a field in SQL.
var columnOf = map[forgerylog.Field]string{
	forgerylog.ByIP:       "client_ip",
	forgerylog.ByDomain:   "forged_domain",
	forgerylog.BySender:   "CASE WHEN sender_local = '' THEN '' ELSE sender_local || '@' || sender_domain END",
	forgerylog.ByHELO:     "helo",
	forgerylog.ByResolver: "resolver",
	forgerylog.ByNet: `CASE WHEN contains(client_ip, ':') THEN array_to_string(string_split(client_ip, ':')[1:3], ':') || '::/48'
		ELSE array_to_string(string_split(client_ip, '.')[1:3], '.') || '.0/24' END`,
}

// filter is a query in both languages; sql is a condition.
type filter struct {
	query forgerylog.Query
	sql   string
}

func (f filter) where() string {
	condition := "attempt"
	if f.query.Packets {
		condition = "true"
	}
	if !f.query.Since.IsZero() {
		condition += fmt.Sprintf(" AND $ts >= %d", f.query.Since.UnixNano())
	}
	if !f.query.Until.IsZero() {
		condition += fmt.Sprintf(" AND $ts < %d", f.query.Until.UnixNano())
	}
	if f.sql != "" {
		condition += " AND " + f.sql
	}
	return condition
}

func top(name string, by forgerylog.Field, f filter, cpu, wall float64) question {
	return question{
		name: name, cpu: cpu, wall: wall,
		ask: func(ctx context.Context, e forgerylog.Engine) ([][]string, error) {
			r, err := e.Top(ctx, f.query, by, ranks)
			if err != nil {
				return nil, err
			}
			var rows [][]string
			for _, k := range r.Ranks {
				rows = append(rows, []string{k.Value, strconv.FormatUint(k.Count, 10), strconv.FormatUint(r.Distinct, 10)})
			}
			return rows, nil
		},
		sql: fmt.Sprintf(`SELECT k, n, count(*) OVER () AS d FROM (SELECT %s AS k, count(*) AS n FROM $log WHERE %s GROUP BY k)
			WHERE k <> '' ORDER BY n DESC, k LIMIT %d`, columnOf[by], f.where(), ranks),
	}
}

func timeline(name string, f filter, cpu, wall float64) question {
	return question{
		name: name, cpu: cpu, wall: wall,
		ask: func(ctx context.Context, e forgerylog.Engine) ([][]string, error) {
			s, err := e.Timeline(ctx, f.query, forgerylog.Hour)
			if err != nil {
				return nil, err
			}
			var rows [][]string
			for _, b := range s.Buckets {
				rows = append(rows, []string{strconv.FormatInt(b.Start/int64(time.Hour), 10), strconv.FormatUint(b.Count, 10)})
			}
			return rows, nil
		},
		sql: fmt.Sprintf("SELECT $ts // 3600000000000 AS h, count(*) FROM $log WHERE %s GROUP BY h ORDER BY h", f.where()),
	}
}

// events counts the selected events, of which every column is read.
func events(name string, f filter, limit int, cpu float64) question {
	source := fmt.Sprintf("SELECT * FROM $log WHERE %s", f.where())
	if limit > 0 {
		source += fmt.Sprintf(" ORDER BY seq DESC LIMIT %d", limit)
	}
	return question{
		name: name, cpu: cpu,
		ask: func(ctx context.Context, e forgerylog.Engine) ([][]string, error) {
			n, longest := 0, ""
			err := e.Events(ctx, f.query, limit, func(r *eventrow.Row) error {
				n++
				if r.RawName > longest {
					longest = strings.Clone(r.RawName)
				}
				return nil
			})
			return [][]string{{strconv.Itoa(n), longest}}, err
		},
		sql: fmt.Sprintf("SELECT n, coalesce(r, '') FROM (SELECT count(*) AS n, max(raw_name) AS r, max(columns(* EXCLUDE raw_name)) FROM (%s))", source),
	}
}

func questions() []question {
	day := 24 * time.Hour
	week := filter{query: forgerylog.Query{Since: begin.Add(40 * day), Until: begin.Add(47 * day)}}
	domain := filter{forgerylog.Query{Domain: forgerylog.ParseDomain("=" + domainName(busy))}, "forged_domain = '" + domainName(busy) + "'"}
	domains := filter{forgerylog.Query{Domain: forgerylog.ParseDomain("bank-")}, "contains(forged_domain, 'bank-')"}
	helo := filter{forgerylog.Query{HELO: forgerylog.ParseText(".dyn7.")}, "contains(helo, '.dyn7.')"}
	hours := filter{query: forgerylog.Query{Since: begin.Add(30*day + 5*time.Hour), Until: begin.Add(61*day + 7*time.Hour)}}
	packets := filter{query: forgerylog.Query{Packets: true}}
	domainWeek := filter{domain.query, domain.sql}
	domainWeek.query.Since, domainWeek.query.Until = week.query.Since, week.query.Until
	address := func(ip string) filter {
		return filter{forgerylog.Query{Client: netip.PrefixFrom(netip.MustParseAddr(ip), netip.MustParseAddr(ip).BitLen())}, "client_ip = '" + ip + "'"}
	}
	rare := events("events of a rare address", address(rareAddr), 0, 0.3)
	rare.limit = 100 * time.Millisecond
	newest := events("newest 20 events", filter{}, 20, 0)
	newest.limit = 50 * time.Millisecond

	var list []question
	// Of the others, segments know nothing.
	fields := slices.DeleteFunc(slices.Clone(forgerylog.Fields), func(by forgerylog.Field) bool { return columnOf[by] == "" })
	for _, by := range fields {
		list = append(list, top("top "+string(by), by, filter{}, 0.5, 0.7))
	}
	list = append(list, timeline("timeline", filter{}, 0.5, 0.7))
	for _, by := range fields {
		list = append(list, top("top "+string(by)+", seven days", by, week, 0.5, 0.7))
	}
	return append(list, timeline("timeline, seven days", week, 0.5, 0.7),
		top("top ip of a domain", forgerylog.ByIP, domain, 1, 0),
		top("top sender of a domain", forgerylog.BySender, domain, 1, 0),
		top("top ip of 200 domains", forgerylog.ByIP, domains, 1, 0),
		top("top helo of 200 domains", forgerylog.ByHELO, domains, 1, 0),
		top("top domain of a part of HELO", forgerylog.ByDomain, helo, 1, 0),
		top("top ip, 31 days and 2 hours", forgerylog.ByIP, hours, 1, 0),
		top("top sender, 31 days and 2 hours", forgerylog.BySender, hours, 1, 0),
		top("top ip of all packets", forgerylog.ByIP, packets, 1, 0),
		timeline("timeline of a domain", domain, 1, 0),
		events("events of a busy address", address(clientAddr(busy).String()), 0, 0.3),
		rare,
		events("events of a domain, seven days", domainWeek, 0, 0.3),
		newest,
	)
}
