//go:build race

package forgerylog

const raceEnabled = true
