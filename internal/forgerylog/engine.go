package forgerylog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
)

// Engine answers queries about the forgery log.
//
// Beside an error that is an [Incomplete], what a method returns or yields is
// right about everything that could be read. Any other error leaves it unusable.
// Errors of ctx and of yield are returned as they are, or joined with an
// Incomplete.
type Engine interface {
	// Events calls yield with the selected events, or with the newest of them
	// when limit is greater than 0. The events of a directory come in order of
	// their sequence numbers, those of several directories merged by time. A
	// row is valid until yield returns.
	Events(ctx context.Context, q Query, limit int, yield func(*eventrow.Row) error) error

	// Scan calls yield with the selected events, of which some columns are set, in no
	// particular order, with one at a time. A row is valid until yield returns.
	Scan(ctx context.Context, q Query, columns []*eventrow.Column, yield func(*eventrow.Row) error) error

	// Follow calls yield with the newest selected events, at most last, then
	// with further ones as they come, until ctx is done. Each call gets a batch
	// in order of time, which is valid until yield returns; the first may be
	// empty.
	Follow(ctx context.Context, q Query, last int, yield func([]eventrow.Row) error) error

	// Top counts the selected events by the values of a field, or of two together,
	// and returns the n greatest.
	Top(ctx context.Context, q Query, by Field, n int) (*Ranking, error)

	// Newcomers is Top over the values that no event before q.Since has, which must be
	// set: Total and Unknown count all selected events, Ranks and Distinct only those
	// values.
	Newcomers(ctx context.Context, q Query, by Field, n int) (*Ranking, error)

	// Profiles tells of each of q.Clients what is known of it, in their order.
	Profiles(ctx context.Context, q Query) ([]Profile, error)

	// Timeline counts the selected events in units of time.
	Timeline(ctx context.Context, q Query, per Unit) (*Series, error)

	// Stats tells what each directory holds.
	Stats(ctx context.Context) ([]JournalStats, error)

	// Check reads each directory in full and verifies it; see journal.CheckDir.
	Check(ctx context.Context) ([]JournalReport, error)
}

// maxLimit is the greatest number of newest events that can be asked for,
// because they are collected in memory.
const maxLimit = 100_000

// Field is what [Engine.Top] counts by: one of the fields, or two with a comma
// between.
type Field string

// The fields.
const (
	// ByIP is the address of the SMTP client.
	ByIP Field = "ip"
	// ByNet is its network: 24 bits of an IPv4 address, 48 of an IPv6 address.
	ByNet Field = "net"
	// BySender is the envelope sender, local@domain.
	BySender Field = "sender"
	// ByHELO is the argument of HELO or EHLO.
	ByHELO Field = "helo"
	// ByDomain is the domain that was claimed without right.
	ByDomain Field = "domain"
	// ByResolver is the address from which the queries came.
	ByResolver Field = "resolver"
	// ByAS is the autonomous system of the client's address, ByCountry its
	// country; both need [WithPlaces].
	ByAS      Field = "as"
	ByCountry Field = "country"
	// ByReporter is who has reported, ByDisposition what was done with the mail; both are
	// of [FromDMARC].
	ByReporter    Field = "reporter"
	ByDisposition Field = "disposition"
	// ByCause is why mail was refused, of [FromMailLog].
	ByCause Field = "cause"
)

// Fields lists the fields.
var Fields = []Field{ByIP, ByNet, BySender, ByHELO, ByDomain, ByResolver, ByAS, ByCountry, ByReporter, ByDisposition, ByCause}

// Source is the source whose events alone have a field, or one of two; "" for none.
func (f Field) Source() Source {
	for _, part := range f.Parts() {
		switch part {
		case ByReporter, ByDisposition:
			return FromDMARC
		case ByCause:
			return FromMailLog
		}
	}
	return ""
}

// ParseField returns the field called s, or the two called so with a comma between.
func ParseField(s string) (Field, error) {
	parts := Field(s).Parts()
	for _, f := range parts {
		if !slices.Contains(Fields, f) {
			return "", fmt.Errorf("no field %q to count by; there are %s", f, join(Fields))
		}
	}
	switch {
	case len(parts) > 2:
		return "", fmt.Errorf("%d fields to count by: %s; at most two can be counted together", len(parts), s)
	case len(parts) == 2 && parts[0] == parts[1]:
		return "", fmt.Errorf("the field %s twice; name two different ones", parts[0])
	}
	return Field(s), nil
}

// Parts are the single fields.
func (f Field) Parts() []Field {
	var parts []Field
	for part := range strings.SplitSeq(string(f), ",") {
		parts = append(parts, Field(part))
	}
	return parts
}

// Unit is a unit of time of [Engine.Timeline]. Units begin on the full minute,
// hour or day in UTC.
type Unit string

// The units.
const (
	Minute Unit = "minute"
	Hour   Unit = "hour"
	Day    Unit = "day"
)

// Units lists the units.
var Units = []Unit{Minute, Hour, Day}

// ParseUnit returns the unit called s.
func ParseUnit(s string) (Unit, error) {
	if u := Unit(s); slices.Contains(Units, u) {
		return u, nil
	}
	return "", fmt.Errorf("no unit %q of time; there are %s", s, join(Units))
}

// duration is the length of the unit.
func (u Unit) duration() time.Duration {
	switch u {
	case Minute:
		return time.Minute
	case Hour:
		return time.Hour
	}
	return 24 * time.Hour
}

func join[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// Incomplete is the error of an answer that lacks events because something
// could not be read.
type Incomplete struct {
	// Problems name the files.
	Problems []error
}

// Error names the first few problems, a line each.
func (e *Incomplete) Error() string {
	const most = 10
	var b strings.Builder
	b.WriteString("the answer lacks events that could not be read; see nullspf log check")
	for i, p := range e.Problems {
		if i == most {
			fmt.Fprintf(&b, "\nand %d more", len(e.Problems)-most)
			break
		}
		b.WriteString("\n" + printable(p.Error()))
	}
	return b.String()
}

// Unwrap returns the problems.
func (e *Incomplete) Unwrap() []error { return e.Problems }
