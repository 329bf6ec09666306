//go:build race

package loadtest

// raceDetector: the tests, and the daemon that they build, run with it.
const raceDetector = true
