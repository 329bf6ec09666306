// Package named turns a set of published domains into configurations of
// nameservers: BIND, NSD, Knot DNS and nullspfd, each as primary and as
// secondary, and a catalog zone (RFC 9432) as an alternative to listing every
// zone at the secondaries.
//
// What it writes are fragments: files that the operator includes into a
// configuration of his own, which keeps listening addresses, logging and
// limits. Under the output folder they are:
//
//	named/primary.conf                    BIND; include in named.conf
//	named/secondary.conf                  BIND; include in named.conf
//	named/secondary-catalog.conf          BIND 9.18; include in named.conf
//	named/secondary-catalog-options.conf  and this inside of options { }
//	nsd/primary.conf                      NSD; include in nsd.conf
//	nsd/secondary.conf                    NSD; include in nsd.conf
//	nsd/secondary-catalog.conf            NSD 4.9; include in nsd.conf
//	knot/primary.conf                     Knot DNS; include in knot.conf
//	knot/secondary.conf                   Knot DNS; include in knot.conf
//	knot/secondary-catalog.conf           Knot DNS 3.1; include in knot.conf
//	nullspfd/primary.Corefile             nullspfd -conf FILE
//	nullspfd/secondary.Corefile           nullspfd -conf FILE
//	*/tsig.key                            the key, included by the above
//	catalog.zone                          the catalog zone
//
// Zone transfers are never open: a primary gives its zones to the listed
// addresses only, and where there is a TSIG key (RFC 8945), only to requests
// that have both a listed address and the key. A secondary gives them to
// nobody.
//
// [Files] makes the files, [Check] has the servers' own programs check them,
// and [Steps] with [Run] make running servers follow.
package named
