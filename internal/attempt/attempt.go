// Package attempt decides which events of a tracking server are attempts to
// send forged mail.
//
// One check of a forged message makes up to a dozen queries. Exactly one event
// of them is an attempt: of those about the same client address, domain, sender
// and HELO, asked from the same network of resolvers within [Windows.Attempt],
// the first; and of an exists: and an exp= query that agree in client address
// and domain, the exp= query, which tells more. The others carry
// [spftrack.FlagRetry]. Minimised names and queries that no check makes are no
// attempts. Neither are sessions at the SMTP listener: they tell that somebody knocks,
// not that a receiver has seen a forged message. A network of resolvers is a /24 of IPv4 or a /48 of IPv6 addresses;
// see open for resolvers with several.
//
// A [Fold] takes events in order of their sequence numbers and gives them back,
// in that order, with the flag set. It knows no clock but the times of events,
// and nothing of where they are stored: the same events give the same attempts
// whether they come from a file that is being written or from a sealed one.
package attempt

import (
	"time"

	"nullspf/spftrack"
)

// Is reports whether an event that a [Fold] has marked is an attempt.
func Is(e *spftrack.Event) bool {
	return e.Flags&spftrack.FlagRetry == 0 && Asks(e.Kind)
}

// Undecided reports whether an event that was pushed into a [Fold] may yet turn out
// to be no attempt, because a query that may come to another nameserver takes it over:
// exp= an exists: query, a check of MAIL FROM one of HELO.
func Undecided(e *spftrack.Event) bool {
	return Is(e) && (e.Kind == spftrack.KindExists || isCheckOfHELO(e))
}

// Asks reports whether a check asks queries of a kind.
func Asks(k spftrack.Kind) bool {
	switch k {
	case spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic:
		return true
	}
	return false
}

// Windows are the spans of time that the rules go by.
type Windows struct {
	// Attempt is how long queries belong to one attempt.
	Attempt time.Duration
	// Cached is how long a resolver may have the answer to an exists: query.
	Cached time.Duration
	// Join is how far apart an exists: query and the exp= query of the same
	// check are; also a check of HELO and that of MAIL FROM.
	Join time.Duration
	// HELO is how far apart the latter are when they come from different
	// networks.
	HELO time.Duration
	// Hold is how long an event waits for another that takes it over. When
	// that comes later, the first has counted and the other does not.
	Hold time.Duration
}

// Default are the windows of the journal. Resolvers ask for exp= within a
// second; with minimisation, losses and retries it takes longer. Attempt is less
// than the TTL of the answers, or what a steady sender makes a resolver ask again
// would be retries.
var Default = Windows{Attempt: 30 * time.Second, Cached: 60 * time.Second, Join: 10 * time.Second, HELO: 2 * time.Second, Hold: 10 * time.Second}

// Within reports whether two times of events, in nanoseconds, are no further
// apart than span. Clocks may have jumped in either direction.
func Within(a, b int64, span time.Duration) bool {
	d := a - b
	return d <= int64(span) && d >= -int64(span)
}
