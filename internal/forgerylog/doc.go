// Package forgerylog answers questions about the forgery log: the journal
// folders that the nameservers of tracking zones write, while they write.
//
// All questions go through one interface, [Engine]. [Folders] implements it by
// reading the Parquet segments, and what is not sealed yet, through package
// journal:
//
//	log := forgerylog.Open([]string{"var/ns1", "var/ns2"}, journal.ReadOptions{})
//	ranking, err := log.Top(ctx, forgerylog.Query{Since: since}, forgerylog.ByIP, 20)
//
// # What is counted
//
// A [Query] selects attempts to send forged mail (see package attempt) or, with
// Packets, single questions. Anyone can ask any question, so an event is
// evidence of a question, not of a forger.
//
// Every question is answered from one view of each folder, taken when it is
// asked. Nothing is left out silently: what cannot be read is told by
// [Incomplete], counts that are no longer exact by [Ranking].
//
// # Texts
//
// Strangers choose most octets in the log. Rows hold them in the form of
// spftrack.Printable: printable ASCII, a backslash doubled, every other octet
// as \DDD in decimal. The writers of this package let nothing else through, and
// [ParseText] reads that form, so that what is shown can be searched for.
package forgerylog
