// Package evidence brings what other programs have recorded into journals: the query
// logs of nameservers that served a tracking zone before nullspfd did, or beside it.
//
//	file -> lines -> questions -> events -> journal.Creator
//
// A file is untrusted: its lines are bounded, and what it says is parsed like a packet.
// What a format does not tell is not guessed: a line without a time is refused, an event
// without a port has port 0.
package evidence
