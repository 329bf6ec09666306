// Package forgerylog answers queries of the forgery log: the journal
// directories that the nameservers of tracking zones write, while they write.
//
// All queries go through one interface, [Engine]. [Journals] implements it by
// reading the Parquet segments, and what is not sealed yet, through package
// journal:
//
//	log := forgerylog.Open([]string{"var/ns1", "var/ns2"}, journal.ReadOptions{})
//	ranking, err := log.Top(ctx, forgerylog.Query{Since: since}, forgerylog.ByIP, 20)
//
// # What is counted
//
// A [Query] selects attempts to send forged mail (see package attempt) or, with
// Packets, single queries. Anyone can send any query, so an event is
// evidence of a query, not of a forger.
//
// Every query is answered from one view of each directory, taken when it is
// asked. Nothing is left out silently: what cannot be read is told by
// [Incomplete], counts that are no longer exact by [Ranking].
//
// # Texts
//
// Strangers choose most bytes in the log. Rows hold them in the form of
// spftrack.Printable: printable ASCII, a backslash doubled, every other byte
// as \DDD in decimal. The writers of this package let nothing else through, and
// [ParseText] reads that form, so that what is shown can be searched for.
package forgerylog
