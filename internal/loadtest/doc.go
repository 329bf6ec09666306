// Package loadtest holds tests of nullspfd as it runs: the real program, under
// load over UDP and TCP, while it is killed, reloaded, stopped and flooded, and
// while its disk fills, turns read-only, fails or hangs.
//
// There is no code beside the tests. They send queries with names that are
// all different, note when each was answered, and compare that with the
// metrics and with every event in the journal. They are scenarios of
// "make torture", where they take longer.
package loadtest
