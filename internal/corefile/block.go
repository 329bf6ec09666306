package corefile

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/internal/nameserver"
)

// blockState is a server block that is read.
type blockState struct {
	nameserver.Block
	keys []blockKey
	bind []netip.Addr
	// stored are the directives that serve other zones.
	stored []string
}

// blockKey is ZONE:PORT.
type blockKey struct {
	// zone is "" for the root, which stands for all zones that are not tracking
	// zones.
	zone dnsname.Name
	port uint16
}

func parseKey(key string) (blockKey, error) {
	name, port := key, "53"
	if i := strings.LastIndexByte(key, ':'); i >= 0 {
		name, port = key[:i], key[i+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return blockKey{}, fmt.Errorf("%q: a server block begins with ZONE:PORT, such as _spf.example.net:53", key)
	}
	if name == "." {
		return blockKey{port: uint16(n)}, nil
	}
	zone, err := dnsname.Parse(name)
	if err != nil {
		return blockKey{}, fmt.Errorf("%q: %w", name, err)
	}
	return blockKey{zone, uint16(n)}, nil
}

// finish checks the keys of a block that is read, and gives it zones and
// addresses.
func (b *blockState) finish() error {
	if err := b.checkKeys(); err != nil {
		return err
	}
	if len(b.bind) == 0 {
		b.bind = []netip.Addr{netip.IPv4Unspecified()}
		if hasIPv6() {
			b.bind = append(b.bind, netip.IPv6Unspecified())
		}
	}
	port := b.keys[0].port
	for _, k := range b.keys {
		if k.port != port {
			return fmt.Errorf("the zones of a block have one port; write a block for port %d", k.port)
		}
		if b.tracks() {
			b.Zones = append(b.Zones, k.zone)
		}
	}
	for _, a := range b.bind {
		b.Listen = append(b.Listen, netip.AddrPortFrom(a, port))
	}
	return nil
}

// tracks reports whether the block has a spftrack directive.
func (b *blockState) tracks() bool { return b.Track.Position != "" }

// checkKeys refuses a block whose zones do not fit its directives.
func (b *blockState) checkKeys() error {
	for _, k := range b.keys {
		switch {
		case b.tracks() && k.zone == "":
			return fmt.Errorf("the block has an spftrack directive and must name its tracking zone, such as _spf.example.net:53")
		case !b.tracks() && len(b.stored) > 0 && k.zone != "":
			return fmt.Errorf("a block with %s begins with .:%d: which zones it serves is said there", b.stored[0], k.port)
		}
	}
	switch {
	case b.tracks() && len(b.stored) > 0:
		return fmt.Errorf("spftrack and %s stand in one block; write a block .:%d for the latter", b.stored[0], b.keys[0].port)
	case !b.tracks() && len(b.stored) == 0:
		return fmt.Errorf("the block has neither spftrack nor parked, secondary or dnsbl, so it would answer nothing")
	}
	return nil
}
