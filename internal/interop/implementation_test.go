package interop

import (
	"net/netip"
	"testing"
)

// verdict is the outcome of a check.
type verdict struct {
	// result is one of RFC 7208 section 2.6, or what went wrong instead.
	result string
	// explanation is the text for the sender of the mail; "" when the
	// implementation has none.
	explanation string
}

// implementation is SPF software that checks messages.
type implementation struct {
	name string
	// setup skips the test when the software is not there. It returns the
	// software's version and what it is known to do.
	setup func(t *testing.T) (version string, h habits)
	// check checks messages, one after the other, with a resolver.
	check func(t *testing.T, s *site, resolver netip.AddrPort, messages []envelope) []verdict
}

// habits are what an implementation is known to do.
type habits struct {
	// explains: it fetches the explanation.
	explains bool
	// askedTypes is how many types it asks for an exists: name.
	askedTypes int
	// at: it asks for names with "@".
	at bool
	// cuts is how many labels it cuts from the left of a name that is too
	// long; what is still too long is not asked.
	cuts int
	// tooLong is the result when an exists: name is too long even so.
	tooLong string
}

var implementations = []*implementation{
	{"pyspf", setupPyspf, checkPyspf},
	{"libspf2", setupLibspf2, checkLibspf2},
	{"blitiri", setupBlitiri, checkBlitiri},
}
