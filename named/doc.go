// Package named turns a set of published domains into configurations of
// nameservers: BIND, NSD, Knot DNS and nullspfd, each as primary and as
// secondary, and a catalog zone (RFC 9432) as an alternative to listing every
// zone at the secondaries.
//
// What it writes are fragments, to be included in a configuration
// of the operator's own, which keeps listening addresses, logging and
// limits. Below the output directory they are:
//
//	named/primary.conf                    BIND; include in named.conf
//	named/secondary.conf                  BIND; include in named.conf
//	named/secondary-catalog.conf          BIND 9.18; include in named.conf,
//	named/secondary-catalog-options.conf  and this inside options { }
//	named/primary-lists.conf              with views, outside of them
//	named/secondary-lists.conf            with views, outside of them
//	nsd/primary.conf                      NSD; include in nsd.conf
//	nsd/secondary.conf                    NSD; include in nsd.conf
//	nsd/secondary-catalog.conf            NSD 4.9; include in nsd.conf
//	knot/primary.conf                     Knot DNS; include in knot.conf
//	knot/secondary.conf                   Knot DNS; include in knot.conf
//	knot/secondary-catalog.conf           Knot DNS 3.1; include in knot.conf
//	nullspfd/primary.Corefile             nullspfd -conf FILE
//	nullspfd/secondary.Corefile           nullspfd -conf FILE
//	powerdns/primary.conf                 PowerDNS; bind-config of pdns.conf
//	powerdns/secondary.sql                PowerDNS; for its database
//	powerdns/secondary-catalog.sql        PowerDNS 4.7; for its database
//	yadifa/primary.conf                   YADIFA; include in yadifad.conf
//	yadifa/secondary.conf                 YADIFA; include in yadifad.conf
//	coredns/primary.Corefile              CoreDNS 1.15; coredns -conf FILE
//	coredns/secondary.Corefile            CoreDNS 1.15; coredns -conf FILE
//	unbound/secondary.conf                Unbound; include in unbound.conf
//	*/tsig.key                            the TSIG key, included by the above
//	catalog.zone                          the catalog zone
//
// Zone transfers are never open: a primary allows them to the listed addresses
// only and, with a TSIG key (RFC 8945), only to requests that come from a listed
// address and are signed with the key; PowerDNS and YADIFA check of these only the key.
// A secondary allows none.
//
// [Files] makes the files, [Check] checks them with the servers' own programs,
// and [Steps] with [Run] reload running servers.
package named
