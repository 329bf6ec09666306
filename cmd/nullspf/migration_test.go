package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// oldSerials are those of the hand-made zones in docs/migration.md.
var oldSerials = map[string]string{
	"brand.example": "2031010107", "brand-shop.example": "2025031401", "xn--bcher-kva.example": "42",
}

const oldZone = `$TTL 1d
@ IN SOA ns1.example.net. hostmaster.example.net. (
        %s ; serial
        8H 2H 4W 1D )
  IN NS ns1.example.net.
  IN NS ns2.example.net.
  IN MX 10 mail.example.net.
  IN TXT "v=spf1 -all"
`

// TestMigration runs docs/migration.md, from its first command to its last,
// with two real BIND servers that serve hand-made zones at the beginning.
func TestMigration(t *testing.T) {
	peers.RequireNamespaces(t)
	peers.Require(t, "ip", "named", "rndc", "named-checkconf", "named-checkzone", "tsig-keygen")
	// 2026-11-20 12:00 UTC
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000")
	top := t.TempDir()
	for dir := top; dir != os.TempDir(); dir = filepath.Dir(dir) {
		// The user of named is to read what is below.
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	real := func(path string) string { return filepath.Join(top, path) }
	for _, dir := range []string{"etc/nullspf", "etc/bind/parked", "lib/bind", "ns2/etc/bind", "ns2/old", "bin"} {
		if err := os.MkdirAll(real(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := newPlace(real("etc/nullspf"), "ns2:/etc/bind", real("ns2/etc/bind"),
		"/etc/bind", real("etc/bind"), "/etc/nullspf", real("etc/nullspf"), "/var/lib/bind", real("lib/bind"))
	second := ""
	for zone, serial := range oldSerials {
		writeText(t, real("etc/bind/parked/db."+zone), fmt.Sprintf(oldZone, serial), 0o644)
		second += fmt.Sprintf("zone %q { type slave; masters { 192.0.2.1; }; file %q; };\n", zone, real("ns2/old/"+zone))
	}
	// The old zones must be there before the servers start.
	writeText(t, real("etc/bind/named.conf.local"), "include \""+real("etc/bind/parked.conf")+"\";\n", 0o644)
	writeText(t, real("ns2/etc/bind/named.conf.local"), second, 0o644)
	first := documentBlocks(readDocument(t, "docs/migration.md"))[0]
	writeText(t, p.paths.Replace(first.file), p.paths.Replace(first.text), 0o644)
	start := func(address, conf string) *peers.Server {
		return peers.Run(t, peers.Config{
			Kind: peers.BIND, Address: netip.AddrPortFrom(netip.MustParseAddr(address), 53), Include: []string{real(conf)},
			Options: "allow-transfer { 192.0.2.2; }; also-notify { 192.0.2.2; }; notify explicit; query-source address " + address +
				"; transfer-source " + address + "; notify-source " + address + ";",
		})
	}
	ns1 := start("192.0.2.1", "etc/bind/named.conf.local")
	ns2 := start("192.0.2.2", "ns2/etc/bind/named.conf.local")
	for zone, serial := range oldSerials {
		waitSerial(t, ns2.Address, zone, serial)
	}

	// Both servers see one file system; ssh and rsync know it.
	rndc := strings.Join(ns1.Control(), " ")
	writeText(t, real("bin/rndc"), "#!/bin/sh\nPATH=${PATH#*:}\nexec "+rndc+" \"$@\"\n", 0o755)
	writeText(t, real("bin/rsync"), "#!/bin/sh\n", 0o755)
	writeText(t, real("bin/ssh"), "#!/bin/sh\nshift\nPATH=${PATH#*:}\n[ $1 = rndc ] || exec \"$@\"\nshift\nexec "+
		strings.Join(ns2.Control(), " ")+" \"$@\"\n", 0o755)
	t.Setenv("PATH", real("bin")+":"+os.Getenv("PATH"))

	runDocument(t, "docs/migration.md", p, func(command string) {
		if command == "nullspf verify" { // the secondary has transferred the zones
			for zone, serial := range manifestSerials(t, real("lib/bind/nullspf")) {
				waitSerial(t, ns2.Address, zone, serial)
			}
		}
	})
	for _, server := range []*peers.Server{ns1, ns2} {
		for zone, serial := range newSerials {
			waitSerial(t, server.Address, zone, serial)
		}
	}
}

// newSerials are those of the zones after their first change.
var newSerials = map[string]string{
	"brand.example": "2031010108", "brand-shop.example": "2026112000", "xn--bcher-kva.example": "2026112000",
}

// manifestSerials reads the serial numbers in the manifest of an output directory.
func manifestSerials(t *testing.T, output string) map[string]string {
	t.Helper()
	serials := make(map[string]string)
	for line := range strings.Lines(readFile(t, filepath.Join(output, "manifest"))) {
		fields := strings.Split(line, "\t")
		serials[fields[0]] = fields[2]
	}
	return serials
}

// waitSerial waits until a server serves a zone with a serial number.
func waitSerial(t *testing.T, server netip.AddrPort, zone, want string) {
	t.Helper()
	var got uint32
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, _ = peers.Serial(t.Context(), server, zone); fmt.Sprint(got) == want {
			return
		}
	}
	t.Fatalf("%v serves %s with serial number %d, want %s", server, zone, got, want)
}
