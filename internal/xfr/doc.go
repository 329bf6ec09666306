// Package xfr moves zones between nameservers: AXFR (RFC 5936) and IXFR (RFC
// 1995) in both directions, NOTIFY (RFC 1996), TSIG (RFC 8945), the zones of a
// secondary with their timers, their files and catalog zones (RFC 9432).
//
// Messages are handled in wire format. What comes from other servers is
// hostile, that of primaries included: it is bounded in size and time, and a
// zone that is served is only replaced by one that is complete.
package xfr
