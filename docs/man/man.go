// Package man holds the sources of the man pages that are written by hand, in
// Markdown that can be read as it is:
//
//	NAME.SECTION.md  a page of a file format
//	nullspf.1.md     sections that the page of the program ends with
//
// The pages of the commands are made from their help texts. `nullspf man DIR`
// renders all of them.
package man

import "embed"

// Sources are the files.
//
//go:embed *.md
var Sources embed.FS
