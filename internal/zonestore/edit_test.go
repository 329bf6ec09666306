package zonestore

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// TestEditRandomZones edits each of many random zones, signed in all ways, until
// it is another: byte by byte the one that is built anew.
func TestEditRandomZones(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1995))
	records := func(z *Zone) map[string]wire.Record {
		all := map[string]wire.Record{}
		for r := range z.Records {
			own := *r
			own.Data = bytes.Clone(r.Data)
			all[r.String()] = own
		}
		return all
	}
	z := newModel(random).zone(t, random)
	for range 300 {
		want := newModel(random).zone(t, random)
		before, after := records(z), records(want)
		b := Edit(z)
		for text, r := range before {
			if _, stays := after[text]; !stays {
				if err := b.Remove(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		for text, r := range after {
			if _, stood := before[text]; !stood {
				if err := b.Add(r); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.blob, want.blob) || !slices.Equal(got.nodes, want.nodes) || !slices.Equal(got.hashed, want.hashed) ||
			got.soa != want.soa || got.serial != want.serial || got.count != want.count || got.cuts != want.cuts || (got.nsec3 == nil) != (want.nsec3 == nil) {
			t.Fatalf("edited %d records, anew %d: %+v, want %+v", got.count, want.count, got, want)
		}
		if cap(got.blob) != len(got.blob) || cap(want.blob) != len(want.blob) || cap(got.nodes) != len(got.nodes) || cap(want.hashed) != len(want.hashed) {
			t.Fatalf("more memory than needed: blob %d of %d, %d of %d", len(got.blob), cap(got.blob), len(want.blob), cap(want.blob))
		}
		z = got
	}
	// Everything may go, and then it is no zone.
	b := Edit(z)
	for _, r := range records(z) {
		if err := b.Remove(r); err != nil {
			t.Fatal(err)
		}
	}
	if z, err := b.Build(); err == nil || z != nil {
		t.Errorf("a zone without records: %v, %v", z, err)
	}
}

// TestEditIgnoresCase: names in data are compared without regard to case (RFC
// 4343), whatever case they are kept in.
func TestEditIgnoresCase(t *testing.T) {
	record := func(line string) wire.Record {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.FromRR(rr)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const soa = "@ 60 SOA ns. h. 1 2 3 4 5\n"
	b := Edit(parseZone(t, "example.", soa+"@ 60 NS NS1\n@ 60 NS ns2\n@ 60 MX 65 Mail\n@ 60 MX 97 mail\n"))
	for _, line := range []string{"example. NS ns1.EXAMPLE.", "example. MX 65 mail.example."} {
		if err := b.Remove(record(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if err := b.Add(record("example. 60 NS NS2.Example.")); err != nil {
		t.Error(err)
	}
	got, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := WriteText(&text, got.Records); err != nil {
		t.Fatal(err)
	}
	if got.Count() != 3 || !strings.Contains(text.String(), "NS2.Example.") || !strings.Contains(text.String(), "97 mail.example.") {
		t.Errorf("%d records:\n%s", got.Count(), text.String())
	}
	// Of two that differ in nothing else, one is served.
	if twice := parseZone(t, "example.", soa+"@ 60 NS NS\n@ 60 NS ns\n"); twice.Count() != 2 {
		t.Errorf("%d records", twice.Count())
	}
}
