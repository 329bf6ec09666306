// Package interop holds tests of tracking with the software of others: real
// SPF implementations check forged mail, directly and through a real resolver,
// against a real nullspfd, and the tests look at the results of the checks and
// at the journal.
//
// There is no code beside the tests. `go test -v -run TestTracking` prints the
// table of docs/tracking.md.
package interop
