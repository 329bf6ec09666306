// Package xfr moves zones between nameservers: AXFR (RFC 5936) and IXFR (RFC
// 1995) in both directions, NOTIFY (RFC 1996), TSIG (RFC 8945) and the records
// of catalog zones (RFC 9432). What a secondary does with them, and when, is
// package secondary's.
//
// Messages are handled in wire format. What comes from other servers is
// hostile, that of primaries included: it is bounded in size and time, and a
// transfer gives a complete zone or none.
package xfr
