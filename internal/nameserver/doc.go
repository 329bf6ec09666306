// Package nameserver is the authoritative nameserver nullspfd: tracking zones,
// whose queries are events, and zones in memory, parked or secondary. A [Config]
// says what is served; package corefile reads one.
//
// A query over UDP stays on one processor, in memory that is there already:
//
//	socket -> inbox -> query -> table -> responder -> inbox -> socket
//	             |                           |
//	             v odd messages              v event
//	          slow path                   recorder
//
// An inbox is a socket, or with package xdp a queue of an interface.
//
// What is rare or may take long, such as another opcode, a signature or a
// transfer, takes the slow path, with goroutines of its own. TCP has one
// goroutine a connection, and answers as the slow path does.
//
// Everything that follows from a configuration is in a [table] for each address
// and in [serving], which never change: a reload prepares new ones, which may
// fail, and commits them, which cannot. Nothing waits for a reload: answers,
// metrics, health and the control socket go by what is in effect.
//
// The files: server, reload, serving, table (a configuration in effect);
// listener, socket, batch, socketinbox, xdp, udp, slow, odd, tcp (messages); query, edns, cookie,
// answer, track, trackzone, dnsbl, listfile, stored, outcome (answers); ratelimit; smtp; transfer,
// source, peers (other servers); recorder, journal, querylog, counts, metrics,
// health, web (what is told); control* (nullspf server).
package nameserver
