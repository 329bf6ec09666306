// Package zones turns lists of domains that send no mail into zone files.
//
// A list is text, one domain a line, or CSV with a header; a [Group] says
// which records every domain of a list gets. Reading lists against groups
// gives a [Set]: the names in order, each with its group and its overrides.
// A [Plan] compares a set with what an output directory holds, [Plan.Write] makes
// the directory follow, and the directory's manifest remembers each zone's serial
// number and content hash, so that a serial number rises when, and only when,
// a zone's content changes.
//
// All records of a zone follow from its group and its name. A group is
// therefore compiled once into a template ([Template]) into which name and
// serial number are filled; zone files, record sets for comparison and answers
// from memory all come from that one template.
//
// The text of a zone file is canonical (RFC 1035 section 5, one record a
// line): the same input gives the same bytes, whatever the clock, locale or
// number of processors. Only the serial number of a changed zone comes from
// the clock.
package zones
