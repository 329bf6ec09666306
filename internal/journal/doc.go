// Package journal keeps the events of a tracking server: from the hot path of
// the server into files, and from there into Parquet segments.
//
//	worker -> ring -> writer -> journal/*.wal -> sealer -> seg/date=*/*.parquet
//	                                                    -> MANIFEST
//
// A [Worker] belongs to one goroutine. [Worker.Put] copies a [Packet] into the
// worker's ring: memory only, no lock, no system call, no allocation, and it
// never waits. One goroutine empties the rings into an append-only file at
// least every 50 ms, another calls fdatasync every second. An event therefore
// survives the end of the process when it was put 100 ms earlier, and a power
// failure when it was put a second earlier; with [Strict], [Worker.Flush] waits
// until it is on disk. When the disk is full, fails or hangs, only the writer
// waits: the ring fills, further events are counted as lost by [Reason], and
// storing resumes by itself.
//
// Closed files are parsed, attempts are marked (see package attempt), and the events
// written to segments, which MANIFEST lists; then the file is dropped. Small
// segments are compacted into hours and days, old ones removed by age and by
// total size.
//
// # Order and time
//
// The writer numbers events when it writes them; the numbers rise strictly,
// across restarts too, and none is used twice. Everything goes by them: order,
// what is sealed, what a reader has seen. The time of an event is what the
// server's clock said; a clock that jumps changes no order and removes
// nothing. Retention by age goes by the age of the directory, which only passing
// time makes grow: the monotonic clock while the journal is open, and at most
// 45 days for the time between two runs.
//
// # Files
//
// The directory holds
//
//	.lock                                            locked while a journal is open
//	MANIFEST                                         text, see Manifest
//	MANIFEST.copy                                    the same
//	LOST                                             counts of lost events
//	journal/<first>-<key>.wal                        events not sealed yet
//	seg/date=YYYY-MM-DD/<first>-<last>.parquet       sealed events
//	seg/date=YYYY-MM-DD/<first>-<last>.summary       counts of their attempts
//	seg/RECENT                                       sealed events of the last minute
//	*.damaged                                        a damaged file, quarantined
//
// first and last are sequence numbers of 20 digits, key 16 hexadecimal digits.
// The date is the UTC day of the segment's first event. Near midnight, and
// where a clock jumped, a segment may hold events of another day: MANIFEST
// has the least and the greatest time of each.
//
// Readers in other processes use [Snapshot] and [View.Follow]. They go by MANIFEST,
// never by a glob, and add what the wal files hold beyond it.
package journal
