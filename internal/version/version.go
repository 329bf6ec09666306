// Package version tells which version of nullspf a program was built from.
//
// The number of the release is the file VERSION, and nowhere else: programs,
// packages and man pages take it from here. What was built from a commit that is
// no release also names the commit, as build metadata of semantic versioning:
//
//	0.1.0
//	0.1.0+20261127134500.e794084c1f2a
//	0.1.0+20261127134500.e794084c1f2a.modified
//
// It has no blanks and sorts by time, so that it serves as the version of a
// Debian package too.
package version

import (
	_ "embed"
	"runtime/debug"
	"strings"
	"time"
)

//go:embed VERSION
var file string

// Release is the number of the release.
var Release = strings.TrimSpace(file)

// String returns the version of the running program. The commit is known when the
// Go toolchain has stored it: when it built in a checkout, and neither for "go
// test" nor with -buildvcs=false.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Release
	}
	return of(info)
}

// revisionLength is how much of a revision is said, as in Go's pseudo-versions.
const revisionLength = 12

func of(info *debug.BuildInfo) string {
	if info.Main.Version == "v"+Release { // the tag of the release
		return Release
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	at, err := time.Parse(time.RFC3339, settings["vcs.time"])
	if revision == "" || err != nil {
		return Release
	}
	v := Release + "+" + at.UTC().Format("20060102150405") + "." + revision[:min(len(revision), revisionLength)]
	if settings["vcs.modified"] == "true" {
		v += ".modified"
	}
	return v
}
