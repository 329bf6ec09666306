// Package wire reads and writes domain names and resource records in wire
// format (RFC 1035 sections 3 and 4.1): what the nameserver, its zones and its
// transfers share. Everything that it reads may be hostile: lengths are checked,
// compression pointers only go back, no name exceeds 255 bytes.
package wire
