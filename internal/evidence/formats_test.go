package evidence

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// TestFormats: the same questions, as other servers recorded them, byte for byte.
func TestFormats(t *testing.T) {
	all := askedByPort(t)
	type asked struct{ name, transport string }
	for _, c := range []struct {
		file   string
		format Format
		// events includes signed questions and repeated ones, others what is no question.
		events, others int
		// cut: the last record has no end.
		cut bool
	}{
		{"bind.dnstap", Dnstap, 38, 37, false},
		{"bind-cut.dnstap", Dnstap, 0, 0, true},
		{"knot.dnstap", Dnstap, 37, 37, false},
		{"nsd.dnstap", Dnstap, 37, 37, false},
		{"unbound.dnstap", Dnstap, 37, 637, false},
		{"dnsdist.dnstap", Dnstap, 37, 0, false},
		{"dnsdist-protobuf.bin", DnsdistProtobuf, 37, 0, false},
		{"tcpdump-ethernet.pcap", Pcap, 37, 69, false},
		{"tcpdump-any-sll2.pcap", Pcap, 37, 69, false},
		{"pdns-log-dns-queries.txt", PDNS, 74, 0, false},
		{"pdns-log-dns-queries-nocache.txt", PDNS, 37, 10, false},
		{"pdns-log-dns-queries-ecs.txt", PDNS, 37, 0, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			i := newImport(t, copyOf(t, c.file))
			i.Format = c.format
			r := i.run(t)
			f := r.Files[0]
			if f.Bad != 0 || f.Err != nil || f.Cut != c.cut || !c.cut && (f.Events != c.events || f.Others != c.others) {
				t.Errorf("%+v", f)
			}
			named := make(map[asked]bool)
			for _, a := range all {
				named[asked{string(spftrack.AppendName(nil, a.name)), a.transport.String()}] = true
			}
			for _, row := range rows(t, i.Dir) {
				if row.ResolverPort >= 40100 {
					continue
				}
				if want, ok := all[uint16(row.ResolverPort)]; ok {
					if name := string(spftrack.AppendName(nil, want.name)); row.Name() != name || row.Qtype != int32(want.qtype) || row.Transport != want.transport.String() {
						t.Errorf("%s %d %s, want %s %d %s", row.Name(), row.Qtype, row.Transport, name, want.qtype, want.transport)
					}
				} else if c.format != PDNS {
					t.Errorf("port %d", row.ResolverPort)
				}
				if !named[asked{row.Name(), row.Transport}] {
					t.Errorf("%s over %s was not asked", row.Name(), row.Transport)
				}
				if at := time.Unix(0, row.TS).UTC(); at.Format(time.DateOnly) != "2026-11-27" || at.Hour() != 11 && c.format != PDNS {
					t.Errorf("%s at %s", row.Name(), at)
				}
				if verified := row.Transport == "tcp"; row.SourceVerified != verified {
					t.Errorf("%s: verified %v", row.Name(), row.SourceVerified)
				}
				wantSubnet(t, c.file, &row)
			}
			again := i.run(t)
			if again.Events != 0 {
				t.Errorf("the second time: %+v", again.Files)
			}
		})
	}
}

// wantSubnet: where the format has client subnets, they are those that were asked with.
func wantSubnet(t *testing.T, file string, row *eventrow.Row) {
	t.Helper()
	want := ""
	if strings.HasSuffix(file, ".dnstap") || strings.HasSuffix(file, ".pcap") || strings.HasSuffix(file, "-ecs.txt") {
		switch row.SenderLocal {
		case "ecs4":
			want = "198.51.100.0/24"
		case "ecs6":
			want = "2001:db8:5500::/56"
		}
	}
	if row.ClientSubnet != want {
		t.Errorf("%s: subnet %q, want %q", file, row.ClientSubnet, want)
	}
}

// TestGrowingDnstap: a file that is being written is read as far as it is whole, and the
// rest when it is there.
func TestGrowingDnstap(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/bind.dnstap")
	if err != nil {
		t.Fatal(err)
	}
	path := copyOf(t, "bind.dnstap")
	i := newImport(t, path)
	i.Format = Dnstap
	events := uint64(0)
	for _, size := range []int{10, 60, 3000, 8192, 8193, 15000, len(whole) - 3, len(whole)} {
		writeFile(t, path, whole[:size])
		r := i.run(t)
		if events += r.Events; r.Files[0].Cut != (size < len(whole)) {
			t.Errorf("%d bytes: %+v", size, r.Files[0])
		}
	}
	if got := len(rows(t, i.Dir)); events != 38 || got != 38 {
		t.Errorf("%d events, %d in the journal", events, got)
	}
}

// TestIdentity: a new directory takes the name that the records have, if it is one.
func TestIdentity(t *testing.T) {
	t.Parallel()
	i := newImport(t, copyOf(t, "bind.dnstap"))
	i.Format, i.Server = Dnstap, ""
	if r := i.run(t); r.Server != "ns1.keeper.test" {
		t.Errorf("server %s", r.Server)
	}
	i.Files = []string{copyOf(t, "knot.dnstap")}
	if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "has the events of ns1.keeper.test, the files are of sender.example.test") {
		t.Errorf("another server: %v", err)
	}
	i.Server = "ns1.keeper.test"
	if r := i.run(t); r.Events != 37 {
		t.Errorf("told otherwise: %+v", r)
	}
	i = newImport(t, copyOf(t, "bind.dnstap"), copyOf(t, "knot.dnstap"))
	i.Format, i.Server = Dnstap, ""
	if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "import them into a directory each") {
		t.Errorf("two servers: %v", err)
	}
	i = newImport(t, copyOf(t, "bind-querylog.txt"))
	i.Format = Dnstap
	if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "not Frame Streams") {
		t.Errorf("a text: %v", err)
	}
}

// TestProtocols: what an address of each protocol is worth.
func TestProtocols(t *testing.T) {
	for protocol, want := range []struct {
		transport spftrack.Transport
		verified  bool
	}{
		0: {spftrack.TransportUDP, false}, // not told
		1: {spftrack.TransportUDP, false},
		2: {spftrack.TransportTCP, true},
		3: {spftrack.TransportTCP, true},  // TLS
		4: {spftrack.TransportTCP, true},  // HTTPS
		5: {spftrack.TransportUDP, false}, // DNSCrypt over UDP
		6: {spftrack.TransportTCP, true},  // DNSCrypt over TCP
		7: {spftrack.TransportUDP, true},  // QUIC
	} {
		var q question
		if ok := setClient(&q, []byte{203, 0, 113, 7}, 53, uint64(protocol)); !ok || q.transport != want.transport || q.verified != want.verified {
			t.Errorf("protocol %d: %v, %v, verified %v", protocol, ok, q.transport, q.verified)
		}
	}
	var q question
	if setClient(&q, []byte{203, 0, 113, 7}, 53, 8) || setClient(&q, []byte{203, 0}, 53, 1) || setClient(&q, []byte{203, 0, 113, 7}, 65536, 1) {
		t.Error("accepted")
	}
}

// FuzzFormats: no content makes a source fail or go on without end.
func FuzzFormats(f *testing.F) {
	for n := range Formats {
		for _, name := range []string{"bind-cut.dnstap", "nsd.dnstap", "dnsdist-protobuf.bin", "pdns-log-dns-queries-ecs.txt", "tcpdump-any-sll2.pcap"} {
			text, err := os.ReadFile("testdata/" + name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(n), text[:min(len(text), 3000)])
		}
	}
	zone := berlin(f)
	f.Fuzz(func(t *testing.T, format uint8, text []byte) {
		i := &Import{Format: Formats[int(format)%len(Formats)], TimeZone: zone}
		in := newReader(bytes.NewReader(text))
		s := i.newSource(&content{changed: time.Unix(1.8e9, 0)}, in, true)
		var q question
		for n := 0; ; n++ {
			what, err := s.next(&q)
			if err != nil {
				break
			}
			if n > len(text) {
				t.Fatal("more records than bytes")
			}
			if what == isQuestion && (!q.client.IsValid() || q.time < 0 || len(q.name) == 0 || q.subnet != (netip.Prefix{}) && !q.subnet.IsValid()) {
				t.Errorf("%+v", q)
			}
		}
		if in.size > int64(len(text)) {
			t.Errorf("%d of %d bytes", in.size, len(text))
		}
	})
}
