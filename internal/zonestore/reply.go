package zonestore

import "nullspf/internal/wire"

// headerSize is that of a message (RFC 1035 section 4.1.1): QNAME stands there.
const headerSize = 12

// Reply is a message on its way from query to response. Who asks fills in the
// first part, a zone the second; the header is not written here.
//
//	0        12              at                       Limit
//	+--------+---------------+------------------------+
//	| header | question      | records of the answer  |
//	+--------+---------------+------------------------+
type Reply struct {
	// Buf is the message. QNAME begins at byte 12, uncompressed and well
	// formed, case as it was asked.
	Buf []byte
	// At is the offset behind the question, where the records begin; later
	// that behind the records.
	At int
	// QName are the labels of QNAME.
	QName wire.Labels
	// Limit is the offset that no record may exceed. Room for what follows the
	// records, such as OPT and TSIG, is beyond it.
	Limit int
	// Type is QTYPE.
	Type uint16
	// DO asks for the records of DNSSEC (RFC 3225).
	DO bool

	// Rcode is the answer's RCODE.
	Rcode uint8
	// Authoritative is AA: unset in referrals and failures.
	Authoritative bool
	// Truncated is TC: the answer did not fit; then it has no records.
	Truncated bool
	// The numbers of records.
	Answer, Authority, Additional uint16

	// alias is the name that an alias leads to, aliasLabels are the offsets of
	// its labels.
	alias       [wire.MaxName]byte
	aliasLabels wire.Labels
}

// name returns QNAME as it was asked.
func (r *Reply) name() []byte {
	return r.Buf[headerSize : headerSize+int(r.QName.At[r.QName.Count])+1]
}

// Labels returns the number of labels of QNAME, that of the root not counted.
func (r *Reply) Labels() int { return r.QName.Count }

// suffix returns the last labels of QNAME, and their offset in Buf.
func (r *Reply) suffix(labels int) ([]byte, int) {
	at := headerSize + int(r.QName.At[r.QName.Count-labels])
	return r.Buf[at : headerSize+int(r.QName.At[r.QName.Count])+1], at
}
