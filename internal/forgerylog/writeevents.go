package forgerylog

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"nullspf/internal/journal"
)

// EventWriter writes events in a format.
type EventWriter interface {
	Write(*journal.Row) error
	// Flush writes what is held back. It is called at the end at least.
	Flush() error
}

// NewEventWriter returns a writer of events. In a table, packets adds the
// columns that tell single questions apart; the other formats always have
// everything.
func NewEventWriter(w io.Writer, f Format, packets bool) EventWriter {
	switch f {
	case JSON:
		return newEventJSON(w)
	case CSV:
		return newEventCSV(w)
	}
	return newEventTable(w, packets)
}

type eventTable struct {
	*tableWriter
	packets bool
}

func newEventTable(w io.Writer, packets bool) *eventTable {
	header := []string{"TIME", "KIND", "CLIENT", "DOMAIN", "SENDER", "HELO", "RESOLVER", "SERVER"}
	if packets {
		header = append(header, "TYPE", "FLAGS", "NAME")
	}
	return &eventTable{newTableWriter(w, header...), packets}
}

func (t *eventTable) Write(r *journal.Row) error {
	// The texts are kept until the block is complete.
	row := []string{
		formatTime(r.TS, tableTime), r.Kind, r.ClientIP, r.ForgedDomain, sender(r), r.HELO, r.Resolver, r.ServerID,
	}
	if t.packets {
		row = append(row, typeName(r.Qtype), r.Flags, r.RawName)
	}
	for i := range row {
		if row[i] = strings.Clone(shown(row[i])); row[i] == "" {
			row[i] = "-"
		}
	}
	return t.add(row...)
}

func (t *eventTable) Flush() error { return t.flush() }

// typeName is the mnemonic of a type of question that is often seen, or the
// form of RFC 3597 section 5.
func typeName(t int32) string {
	switch t {
	case 0:
		return ""
	case 1:
		return "A"
	case 2:
		return "NS"
	case 6:
		return "SOA"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 255:
		return "ANY"
	}
	return "TYPE" + strconv.Itoa(int(t))
}

// eventFields is an event in JSON.
type eventFields struct {
	Time           string `json:"time"`
	Seq            uint64 `json:"seq"`
	Server         string `json:"server"`
	Zone           string `json:"zone"`
	Kind           string `json:"kind"`
	ClientIP       string `json:"client_ip"`
	SenderLocal    string `json:"sender_local"`
	SenderDomain   string `json:"sender_domain"`
	ForgedDomain   string `json:"forged_domain"`
	HELO           string `json:"helo"`
	Resolver       string `json:"resolver"`
	ResolverPort   int32  `json:"resolver_port"`
	Transport      string `json:"transport"`
	Qtype          int32  `json:"qtype"`
	ClientSubnet   string `json:"client_subnet"`
	SourceVerified bool   `json:"source_verified"`
	Flags          string `json:"flags"`
	Attempt        bool   `json:"attempt"`
	Name           string `json:"name"`
}

type eventJSON struct {
	w *bufio.Writer
	e *json.Encoder
}

func newEventJSON(w io.Writer) *eventJSON {
	b := bufio.NewWriter(w)
	return &eventJSON{b, json.NewEncoder(b)}
}

func (j *eventJSON) Write(r *journal.Row) error {
	return j.e.Encode(eventFields{
		formatTime(r.TS, exactTime), uint64(r.Seq), shown(r.ServerID), shown(r.Zone), shown(r.Kind), shown(r.ClientIP),
		shown(r.SenderLocal), shown(r.SenderDomain), shown(r.ForgedDomain), shown(r.HELO), shown(r.Resolver), r.ResolverPort,
		shown(r.Transport), r.Qtype, shown(r.ClientSubnet), r.SourceVerified, shown(r.Flags), r.Attempt, shown(r.RawName),
	})
}

func (j *eventJSON) Flush() error { return j.w.Flush() }

type eventCSV struct {
	w     *csv.Writer
	begun bool
}

func newEventCSV(w io.Writer) *eventCSV { return &eventCSV{w: csv.NewWriter(w)} }

func (c *eventCSV) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true
	return c.w.Write([]string{
		"time", "seq", "server", "zone", "kind", "client_ip", "sender_local", "sender_domain", "forged_domain", "helo", "resolver",
		"resolver_port", "transport", "qtype", "client_subnet", "source_verified", "flags", "attempt", "name",
	})
}

func (c *eventCSV) Write(r *journal.Row) error {
	if err := c.begin(); err != nil {
		return err
	}
	return c.w.Write([]string{
		formatTime(r.TS, exactTime), strconv.FormatUint(uint64(r.Seq), 10), cell(r.ServerID), cell(r.Zone), cell(r.Kind),
		cell(r.ClientIP), cell(r.SenderLocal), cell(r.SenderDomain), cell(r.ForgedDomain), cell(r.HELO), cell(r.Resolver),
		strconv.Itoa(int(r.ResolverPort)), cell(r.Transport), strconv.Itoa(int(r.Qtype)), cell(r.ClientSubnet),
		strconv.FormatBool(r.SourceVerified), cell(r.Flags), strconv.FormatBool(r.Attempt), cell(r.RawName),
	})
}

func (c *eventCSV) Flush() error {
	if err := c.begin(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}
