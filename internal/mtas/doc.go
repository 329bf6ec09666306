// Package mtas starts real mail servers, Postfix, Exim, OpenSMTPD and sendmail, as
// Debian packages them, for tests and measurements.
//
//	network, err := mtas.NewNetwork()
//	defer network.Close()
//	mx, err := network.Machine("192.0.2.25")
//	client, err := network.Machine("198.51.100.8")
//	server, err := mtas.Start(ctx, mtas.Config{
//		Kind: mtas.Exim, Machine: mx, Name: "mx.example.net", Files: files, At: "192.0.2.25:25",
//	})
//	defer server.Stop()
//	conn, err := client.Dial(ctx, "", "192.0.2.25:25")
//
// The packages exclude each other. So only Postfix is installed; the others are
// unpacked below the user's cache by the script unpack, and lie over /usr, /etc and
// /var of a server (overlayfs), which has mount, process and host name namespaces of
// its own. Whatever it writes is in memory, and all of its processes end with the
// first, however it ends. Each machine of a network has addresses of its own, and so
// each server port 25.
//
// All of it takes root and Linux.
package mtas
