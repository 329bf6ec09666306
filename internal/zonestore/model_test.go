package zonestore

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// model is a random small zone, held as plainly as can be: what [Zone] answers
// is compared with what is found by walking through all names.
type model struct {
	// nodes are the RRsets, by owner name and type, without those of DNSSEC.
	nodes  map[string]map[uint16][]dns.RR
	signed signedBy
}

// signedBy is how a zone is signed.
type signedBy int

const (
	unsigned signedBy = iota
	byNSEC
	byNSEC3
	byOptOut
)

const (
	modelApex       = "example."
	modelSalt       = "aabb"
	modelIterations = 3
)

// modelName returns a random name in the zone, or rarely elsewhere.
func modelName(random *rand.Rand) string {
	if random.IntN(12) == 0 {
		return "x.other.test."
	}
	name := modelApex
	for range random.IntN(4) {
		name = []string{"a", "b", "c", "*", "n"}[random.IntN(5)] + "." + name
	}
	return name
}

func newModel(random *rand.Rand) *model {
	m := &model{nodes: map[string]map[uint16][]dns.RR{}, signed: signedBy(random.IntN(4))}
	m.add(modelApex, "SOA ns.other.test. host. 1 2 3 4 60")
	m.add(modelApex, "NS ns.other.test.")
	for range 2 + random.IntN(8) {
		name := modelName(random)
		if m.nodes[name] != nil || !dns.IsSubDomain(modelApex, name) {
			continue
		}
		kind := random.IntN(8)
		if strings.HasPrefix(name, "*") {
			kind = min(kind, 4) // cuts and DNAME records at wildcards mean nothing
		}
		switch kind {
		case 0, 1:
			m.add(name, "A 192.0.2.1")
		case 2:
			m.add(name, `TXT "x"`)
		case 3, 4:
			m.add(name, "CNAME "+modelName(random))
		case 5:
			m.add(name, "DNAME "+modelName(random))
		default:
			m.add(name, "NS n."+name)
			m.add("n."+name, "A 192.0.2.53")
			if random.IntN(2) == 0 {
				m.add(name, "DS 1 13 2 AA")
			}
		}
	}
	return m
}

func (m *model) add(name, data string) {
	rr, err := dns.NewRR(name + " 300 IN " + data)
	if err != nil {
		panic(err)
	}
	node := m.nodes[name]
	if node == nil {
		node = map[uint16][]dns.RR{}
		m.nodes[name] = node
	}
	rrtype := rr.Header().Rrtype
	// What is added below may have been there, as something else.
	if node[dns.TypeCNAME] == nil && node[rrtype] == nil {
		node[rrtype] = append(node[rrtype], rr)
	}
}

// exists reports whether a name has records, or names below it have.
func (m *model) exists(name string) bool {
	for owner := range m.nodes {
		if dns.IsSubDomain(name, owner) {
			return true
		}
	}
	return false
}

// ancestors returns the names from one below the apex to the name itself.
func ancestors(name string) (names []string) {
	for ; name != modelApex; name = parent(name) {
		names = append([]string{name}, names...)
	}
	return names
}

func parent(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// occluded reports whether a name is below a zone cut or a DNAME record, and
// cut whether it is a zone cut.
func (m *model) occluded(name string) (below, cut bool) {
	for _, a := range ancestors(name) {
		n := m.nodes[a]
		if a == name {
			return false, n[dns.TypeNS] != nil
		}
		if n[dns.TypeNS] != nil || n[dns.TypeDNAME] != nil {
			return true, false
		}
	}
	return false, false
}

// signature is one that only says what it covers.
func signature(rr dns.RR) dns.RR {
	return &dns.RRSIG{
		Hdr:         dns.RR_Header{Name: rr.Header().Name, Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: rr.Header().Ttl},
		TypeCovered: rr.Header().Rrtype, Algorithm: 13, SignerName: modelApex, Signature: "AAAA",
	}
}

// records returns the records of the zone, with those of DNSSEC.
func (m *model) records() (rrs []dns.RR) {
	bitmaps := map[string][]uint16{}
	for name, node := range m.nodes {
		below, cut := m.occluded(name)
		types := slices.Sorted(maps.Keys(node))
		for _, rrtype := range types {
			rrs = append(rrs, node[rrtype]...)
			if m.signed != unsigned && !below && (!cut || rrtype == dns.TypeDS) {
				rrs = append(rrs, signature(node[rrtype][0]))
			}
		}
		if cut {
			types = slices.DeleteFunc(types, func(t uint16) bool { return t != dns.TypeNS && t != dns.TypeDS })
		}
		if !below && !(m.signed == byOptOut && cut && node[dns.TypeDS] == nil) {
			bitmaps[name] = types
		}
	}
	switch m.signed {
	case byNSEC:
		for name, types := range bitmaps {
			bitmaps[name] = append(types, dns.TypeRRSIG, dns.TypeNSEC)
		}
		rrs = append(rrs, chain(bitmaps, compareNames, func(h dns.RR_Header, next string, types []uint16) dns.RR {
			h.Rrtype = dns.TypeNSEC
			return &dns.NSEC{Hdr: h, NextDomain: next, TypeBitMap: types}
		})...)
	case byNSEC3, byOptOut:
		params, _ := dns.NewRR(fmt.Sprintf("%s 0 IN NSEC3PARAM 1 0 %d %s", modelApex, modelIterations, modelSalt))
		rrs = append(rrs, params, signature(params))
		rrs = append(rrs, m.chain3(bitmaps, modelIterations, modelSalt)...)
		// Another chain, which is not complete.
		half := map[string][]uint16{}
		for name, types := range bitmaps {
			if len(name)%2 == 0 {
				half[name] = types
			}
		}
		rrs = append(rrs, m.chain3(half, modelIterations, "cc")...)
	}
	return rrs
}

// chain3 makes NSEC3 records of names and of the empty non-terminals above them.
func (m *model) chain3(bitmaps map[string][]uint16, iterations uint16, salt string) []dns.RR {
	hashes := map[string][]uint16{}
	hash := func(name string) string { return strings.ToLower(dns.HashName(name, dns.SHA1, iterations, salt)) }
	for name, types := range bitmaps {
		hashes[hash(name)] = types
		for _, a := range ancestors(name) {
			if bitmaps[a] == nil {
				hashes[hash(a)] = nil
			}
		}
	}
	flags := uint8(0)
	if m.signed == byOptOut {
		flags = 1
	}
	return chain(hashes, strings.Compare, func(h dns.RR_Header, next string, types []uint16) dns.RR {
		h.Name += "." + modelApex
		h.Rrtype = dns.TypeNSEC3
		return &dns.NSEC3{Hdr: h, Hash: 1, Flags: flags, Iterations: iterations, SaltLength: uint8(len(salt) / 2), Salt: salt, HashLength: 20, NextDomain: strings.ToUpper(next), TypeBitMap: types}
	})
}

// chain makes records that each name the next owner, with their signatures.
func chain(bitmaps map[string][]uint16, order func(a, b string) int, record func(h dns.RR_Header, next string, types []uint16) dns.RR) (rrs []dns.RR) {
	owners := slices.SortedFunc(maps.Keys(bitmaps), order)
	for i, owner := range owners {
		rr := record(dns.RR_Header{Name: owner, Class: dns.ClassINET, Ttl: 60}, owners[(i+1)%len(owners)], bitmaps[owner])
		rrs = append(rrs, rr, signature(rr))
	}
	return rrs
}

// compareNames orders names canonically (RFC 4034 section 6.1).
func compareNames(a, b string) int {
	labels := func(text string) (labels []string) {
		name, _ := wire.ParseName(text)
		for ; len(name) > 1; name = name.Parent() {
			labels = append(labels, string(name[1:1+name[0]]))
		}
		slices.Reverse(labels)
		return labels
	}
	return slices.Compare(labels(a), labels(b))
}

// zone builds the zone, its records in any order.
func (m *model) zone(t testing.TB, random *rand.Rand) *Zone {
	t.Helper()
	rrs := m.records()
	random.Shuffle(len(rrs), func(i, j int) { rrs[i], rrs[j] = rrs[j], rrs[i] })
	b := NewBuilder("\x07example\x00")
	for _, rr := range rrs {
		r, err := wire.FromRR(rr)
		if err == nil {
			err = b.Add(r)
		}
		if err != nil {
			t.Fatalf("%v: %v", rr, err)
		}
	}
	z, err := b.Build()
	if err != nil {
		t.Fatalf("%v\n%v", err, rrs)
	}
	return z
}
