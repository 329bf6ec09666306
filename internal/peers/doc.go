// Package peers starts and stops real nameservers, BIND, NSD, Knot DNS, PowerDNS,
// YADIFA, CoreDNS and nullspfd, and a real resolver, Unbound, on loopback for tests
// and demonstrations.
//
//	address, _ := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
//	server, err := peers.Start(ctx, peers.Config{
//		Kind: peers.BIND, Address: address, Include: []string{"named/primary.conf"},
//	})
//	defer server.Stop()
//
// A server has a directory of its own for its state, runs as the current user in
// the foreground, logs to a file in that directory, and is controlled by the
// program that belongs to it ([Server.Control]). It is stopped by its process
// id; with the process that started it, it ends too, where the system can do
// that.
package peers
