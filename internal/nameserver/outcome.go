package nameserver

import "sync/atomic"

// outcome is what became of a query. Every query that is received has
// exactly one.
type outcome uint8

const (
	// Answered: the answer was handed to the kernel.

	// answered from the data of a zone; when it is a tracking zone, the
	// query is an event.
	answered outcome = iota
	// limited: sent to TCP by the rate limit; no event.
	limited
	// cookieOnly: a query for a DNS cookie alone (RFC 7873 section 5.4).
	cookieOnly
	refused
	// servFail: the zone is ours, but there is nothing to answer from.
	servFail
	formErr
	notImp
	badVers
	notAuth
	// transferred: a zone, its differences or its SOA record were sent.
	transferred
	// notified: a primary's NOTIFY was taken.
	notified

	// Dropped: no answer.

	// dropShort: no ID can be read.
	dropShort
	// dropResponse: the message is an answer.
	dropResponse
	// dropSource: nobody can receive an answer at port 0.
	dropSource
	// dropFrame: a frame is damaged, or has a wrong checksum.
	dropFrame
	// dropProxy: a message of a proxy has no header of the PROXY protocol.
	dropProxy
	// dropBusy: the slow path has no room.
	dropBusy
	// dropLimited: an odd message that exceeds the rate limit.
	dropLimited
	// dropPanic: answering it failed.
	dropPanic

	numOutcomes
	firstDropped = dropShort

	// deferred: the slow path will say.
	deferred outcome = numOutcomes
)

// outcomeNames are the labels of metrics.
var outcomeNames = [numOutcomes]string{
	"zone", "limited", "cookie", "refused", "servfail", "formerr", "notimp", "badvers", "notauth", "transfer", "notify",
	"short", "response", "source", "frame", "proxy", "busy", "limited", "panic",
}

// tally counts the queries of one batch.
type tally [numOutcomes]uint32

// counters count the queries of one worker. The padding keeps workers from
// sharing cache lines.
type counters struct {
	received atomic.Uint64
	// beside counts those of them that came beside the kernel.
	beside   atomic.Uint64
	outcomes [numOutcomes]atomic.Uint64
	// sendErrors counts answers that the kernel did not take.
	sendErrors atomic.Uint64
	// tracked counts queries that were events, stored or lost.
	tracked atomic.Uint64
	_       [128]byte
}

// add adds the counts of a batch.
func (c *counters) add(t *tally) {
	for i, n := range t {
		if n > 0 {
			c.outcomes[i].Add(uint64(n))
		}
	}
}
