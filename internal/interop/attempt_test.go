package interop

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// record is what the log says of an attempt.
type record struct {
	spftrack.Parsed
	// name is the query name as it is shown, in lower case.
	name string
}

func attemptOf(e *spftrack.Event) record {
	return record{e.Parsed, strings.ToLower(string(spftrack.AppendName(nil, e.Name)))}
}

// String is a line for comparison.
func (a record) String() string {
	return fmt.Sprintf("%s client=%v local=%q sender=%q forged=%q helo=%q flags=%v name=%s",
		a.Kind, a.ClientIP, a.SenderLocal, a.SenderDomain, a.Forged, a.HELO, a.Flags, a.name)
}

// arriving returns the queries about a message that reach a tracking zone, by
// kind. tooLong: that of exists: was not, for its length.
func (h *habits) arriving(t *testing.T, p *policy, m *message, domain string) (byKind map[spftrack.Kind]spftrack.Query, tooLong bool) {
	t.Helper()
	queries, err := spftrack.Queries(p.layout, spftrack.Settings{Zone: dnsname.Name(p.zone)}, m.check(domain))
	if err != nil {
		t.Fatal(err)
	}
	byKind = make(map[spftrack.Kind]spftrack.Query)
	// The first asks for the domain's record.
	for _, q := range queries[1:] {
		kind := spftrack.KindExists
		switch {
		case q.Type == spftrack.TypeTXT:
			kind = spftrack.KindExp
		case p.layout == spftrack.Classic:
			kind = spftrack.KindClassic
		}
		switch {
		case kind == spftrack.KindExp && !h.explains, kind == spftrack.KindClassic && !h.at:
		case q.Problem != "":
		case q.Truncated && m.cuts > h.cuts:
			tooLong = tooLong || kind != spftrack.KindExp
		default:
			byKind[kind] = q
		}
	}
	return byKind, tooLong
}

// minFlagged is the length from which on a name that lacks nothing may have
// been cut.
const minFlagged = 189

// attempt returns the attempt that a message is to make in the log, by the
// query that tells most; nil for none. known: the forged domains are known.
func (h *habits) attempt(t *testing.T, p *policy, m *message, domain string, known bool) *record {
	t.Helper()
	queries, _ := h.arriving(t, p, m, domain)
	for _, kind := range []spftrack.Kind{spftrack.KindClassic, spftrack.KindExp, spftrack.KindExists} {
		q, ok := queries[kind]
		if !ok {
			continue
		}
		wire, err := q.Wire()
		if err != nil {
			t.Fatal(err)
		}
		a := &record{name: strings.ToLower(string(spftrack.AppendName(nil, wire)))}
		a.Kind, a.ClientIP, a.SenderDomain, a.Forged = kind, netip.MustParseAddr(m.ip), domain, domain
		if kind == spftrack.KindExists {
			return a
		}
		a.SenderLocal = strings.ToLower(cmp.Or(m.local, "postmaster"))
		a.HELO = strings.ToLower(m.envelope(domain).HELO)
		if kind == spftrack.KindExp {
			if _, both := queries[spftrack.KindExists]; both {
				a.Flags |= spftrack.FlagExists
			}
			a.SenderLocal, a.HELO = cmp.Or(m.expLocal, a.SenderLocal), cmp.Or(m.expHELO, a.HELO)
			if q.Truncated {
				_, a.HELO, _ = strings.Cut(a.HELO, ".")
			}
		}
		if slices.Contains(m.ambiguous, kind) && !(known && slices.Contains(m.decided, kind)) {
			a.Flags |= spftrack.FlagAmbiguous
		}
		if len(q.Name) >= minFlagged && !strings.HasPrefix(q.Name, "[") {
			a.Flags |= spftrack.FlagTruncated
		}
		return a
	}
	return nil
}
