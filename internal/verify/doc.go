// Package verify queries nameservers to see whether they serve the published
// zones as planned.
//
// Each server gets these queries for each zone, without recursion desired:
//
//	SOA of the apex           the zone is served (NOERROR, AA), its serial number
//	NS and MX of the apex     as planned
//	MX of www                 as planned, where www is
//	TXT of the apex and www   one SPF record, and that as planned
//	TXT of _dmarc             as planned
//
// The plan follows from the records of the zone files; an RRset that is not planned
// is not queried, and other records are not examined. Each deviation is a
// [Finding], and each is reported once: for a zone that a server does not serve,
// nothing else is reported, and a server that does not answer at all is one
// finding, with the number of zones that were not checked at it.
//
// Queries go over UDP, with EDNS (RFC 6891), from ports that the system
// chooses and with random IDs; truncated answers are fetched over TCP
// (RFC 7766). A message that does not match a query in ID and question, or
// that is malformed, is ignored.
package verify
