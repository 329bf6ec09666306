package zones

import (
	"bufio"
	"io/fs"
	"strings"
)

// File is one output file that is made from the whole set: a server
// configuration, a mail table, a catalog zone.
type File struct {
	// Path is relative to the output directory, with slashes.
	Path string
	// Mode is 0o644, or 0o600 for a file that holds a secret, which becomes 0o640
	// in an output directory that hands down its group.
	Mode fs.FileMode
	// Zone is the name of the zone that the file holds, without final dot, or
	// "" for a file without serial number.
	Zone string
	// Write writes the file. serial is the zone's serial number, which rises
	// when anything else in the file changes; 0 for a file that is not a zone.
	// Write must give the same bytes for the same serial, each time.
	Write func(w *bufio.Writer, serial uint32) error
}

// ZoneFile returns the name of a zone's file in the directory zones: the zone
// name and ".zone", which is what NSD and Knot make of "%s.zone". A name so
// long that the suffix would exceed the 255 bytes of a file name goes
// without.
func ZoneFile(name string) string {
	if len(name)+len(zoneSuffix) > 255 {
		return name
	}
	return name + zoneSuffix
}

// zoneOfFile is the reverse of ZoneFile; the result is meaningless for a file
// that is not a zone file.
func zoneOfFile(file string) string { return strings.TrimSuffix(file, zoneSuffix) }

const zoneSuffix = ".zone"
