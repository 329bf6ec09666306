package forgerylog

import (
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// screenColumn is a column of a table on a terminal.
type screenColumn struct {
	heading string
	// cell is nil for the time.
	cell func(*screenTable, *eventrow.Row) string
	// least is the width to which it may be shortened; 0 for not at all.
	least int
	// typical is the width to expect of events to come.
	typical int
	// nameable tells of a column that may be named above whether a filter is about
	// it, and whether it can have one value only; nil for another column.
	nameable func(*screenTable) (filtered, fixed bool)
}

// screenColumns are the columns in their order, for a source of events.
func screenColumns(q *Query) []*screenColumn {
	client := &screenColumn{heading: "CLIENT", cell: plain(eventrow.ClientIP), least: 15, typical: 26, nameable: func(t *screenTable) (bool, bool) {
		return t.Query.Client.IsValid(), t.Query.Client.IsSingleIP()
	}}
	domain := &screenColumn{heading: "DOMAIN", cell: plain(eventrow.ForgedDomain), least: 13, typical: 20, nameable: ofText(func(q *Query) Text { return q.Domain })}
	from := &screenColumn{heading: "SENDER", cell: senderCell, least: 12, typical: 20, nameable: ofText(func(q *Query) Text { return q.Sender })}
	helo := &screenColumn{heading: "HELO", cell: plain(eventrow.HELO), least: 12, typical: 24, nameable: ofText(func(q *Query) Text { return q.HELO })}
	switch q.Source {
	case FromSMTP:
		return []*screenColumn{{heading: "TIME"}, client, from, helo,
			{heading: "SESSION", cell: func(_ *screenTable, r *eventrow.Row) string { return session(r) }, least: 12, typical: 50},
		}
	case FromDMARC:
		return []*screenColumn{{heading: "TIME"}, client, domain,
			{heading: "MESSAGES", cell: plain(eventrow.Messages), typical: 8},
			{heading: "DISPOSITION", cell: plain(eventrow.Disposition), least: 6, typical: 11},
			{heading: "SPF", cell: plain(eventrow.SPF), typical: 4},
			{heading: "DKIM", cell: plain(eventrow.DKIM), typical: 4},
			{heading: "OVERRIDE", cell: plain(eventrow.Override), least: 8, typical: 12},
			{heading: "REPORTER", cell: plain(eventrow.Reporter), least: 12, typical: 20},
		}
	case FromMailLog:
		return []*screenColumn{{heading: "TIME"}, client, from, helo,
			{heading: "RECIPIENT", cell: plain(eventrow.RecipientDomain), least: 12, typical: 20},
			{heading: "CAUSE", cell: plain(eventrow.Cause), least: 12, typical: 20},
			{heading: "SOFTWARE", cell: plain(eventrow.Software), typical: 9},
		}
	}
	list := []*screenColumn{
		{heading: "TIME"},
		{heading: "KIND", cell: kindCell, typical: len("exists+exp"), nameable: func(t *screenTable) (bool, bool) {
			only := len(t.Query.Kinds) == 1 && (t.Query.Packets || t.Query.Kinds[0] == spftrack.KindClassic)
			return true, only
		}},
		client, domain, from, helo,
		{heading: "RESOLVER", cell: plain(eventrow.Resolver), least: 13, typical: 18},
		{heading: "SERVER", cell: plain(eventrow.ServerID), least: 8, typical: 16, nameable: func(t *screenTable) (bool, bool) {
			return true, t.OneJournal
		}},
	}
	if q.Packets {
		list = append(list,
			&screenColumn{heading: "TYPE", cell: plain(eventrow.Qtype), typical: 4},
			&screenColumn{heading: "FLAGS", cell: plain(eventrow.Flags), least: 6, typical: 8},
			&screenColumn{heading: "NAME", cell: func(_ *screenTable, r *eventrow.Row) string { return name(r) }, least: 24, typical: 120})
	}
	return list
}

func plain(c *eventrow.Column) func(*screenTable, *eventrow.Row) string {
	return func(_ *screenTable, r *eventrow.Row) string { return c.Cell(r) }
}

func ofText(text func(*Query) Text) func(*screenTable) (filtered, fixed bool) {
	return func(t *screenTable) (bool, bool) {
		return text(&t.Query) != Text{}, text(&t.Query).Exact
	}
}

func kindCell(t *screenTable, r *eventrow.Row) string {
	if t.Query.Packets {
		return eventrow.Kind.Cell(r)
	}
	return Asked(r)
}

// senderCell is the sender, without the domain that was forged.
func senderCell(_ *screenTable, r *eventrow.Row) string {
	switch {
	case r.SenderDomain != r.ForgedDomain:
		return eventrow.Shown(sender(r))
	case r.SenderLocal == "":
		return ""
	}
	return eventrow.Shown(r.SenderLocal) + "@"
}
