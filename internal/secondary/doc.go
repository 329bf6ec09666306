// Package secondary serves zones of primaries (RFC 1034 section 4.3.5): when
// they are refreshed and expire, in which files they are kept, and which zones
// catalog zones list (RFC 9432). Package xfr speaks with the primaries.
//
// A zone that is served is only replaced by one that is complete.
package secondary
