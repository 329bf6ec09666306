// Package importer turns zones that are kept by hand into a configuration, lists
// and groups of nullspf.
//
// [Read] finds the zones: in a named.conf, in a directory of zone files, or in a
// list whose domains share a zone file. [Import] reads their files, finds for each
// the settings of a group with which nullspf publishes the same records, and puts
// domains with the same settings into one group. A zone with a record that no
// setting expresses is left out and named, with file and line. [Result.Write] writes
// nullspf.yaml, the lists and, below the output directory, the zones as they were,
// with which a plan compares what nullspf makes of them.
//
// Zone files are hostile: their size, their records and their $INCLUDEs are bounded,
// and only regular files are opened.
package importer
