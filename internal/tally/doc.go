// Package tally counts values of columns of segments: reads pages of columns by
// their dictionaries, counts texts in tables of little memory, merges sorted counts,
// and makes summaries.
//
// A [Summary] is a file beside a segment. It says how often each address, network,
// sender, HELO name, domain and resolver occurs among the attempts of the segment,
// and how many attempts each minute has, so that those who count need not read the
// segment. It also has sums of the segment's blocks, so that who reads a part of a
// segment verifies that part only. It can be made again from the segment at any time;
// one that is missing, damaged or of another segment is as good as none.
package tally
