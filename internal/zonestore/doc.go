// Package zonestore holds zones in memory and answers from them: lookup by RFC
// 1034 section 4.3.2 with wildcards (RFC 4592), and the proofs of signed zones
// (RFC 4035, RFC 5155).
//
// There are two kinds of zones. A [Zone] has records of its own, as they came
// from a transfer. The zones of a [Parked] set follow from a few templates: what
// is the same in many of them is held once.
//
// Answers are built in the buffer of the query and allocate nothing. Zones
// never change; a new version replaces the old one as a whole.
package zonestore
