// Package serial compares the serial numbers of zones, which count modulo 2³²
// (RFC 1982). It imports nothing of this module.
package serial

// Greater reports whether a is greater than b (RFC 1982 section 3.2). Numbers
// exactly 2³¹ apart have no order: then neither is greater.
func Greater(a, b uint32) bool { return a != b && a-b < 1<<31 }
