// Package dmarc reads DMARC aggregate reports (RFC 9990, and RFC 7489 appendix C): the XML,
// alone or compressed with gzip or in a ZIP archive, and mails that have it attached, alone
// or in an mbox.
//
//	mbox -> mails -> parts -> gzip, ZIP -> XML -> Report
//
// What is read is hostile: whoever knows the address of a rua tag can send to it. A document
// type, and with it every entity that is not one of XML's own, is refused; depth, sizes, counts
// and nesting are bounded. A report that cannot be read to its end is refused whole, so that
// it can be read when it is there.
package dmarc
