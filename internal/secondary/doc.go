// Package secondary serves secondary zones (RFC 1034 section 4.3.5): it decides
// when they are refreshed and when they expire, keeps copies in files, and follows
// catalog zones (RFC 9432). Package xfr speaks with the primaries.
//
//	       catalog zones --> places
//	                            | set
//	                            v
//	NOTIFY --> schedule: timers --> queue of the group --> refresher
//	              ^                 asked, first, timed        |
//	              +--------------------------------------------+--> table, keeper --> store
//
// One goroutine watches the times of all zones; a bounded number of others
// refreshes those whose time has come. A zone costs about 200 bytes besides its
// records. A zone that is served is only replaced by one that is complete.
package secondary
