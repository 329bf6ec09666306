package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// logFixture is a command of the scripts: it writes events to a journal directory.
//
//	logfixture [-seal] [-linger TIME] [-server NAME] DIR FILE
//
// FILE has a line for each query: time, address of the resolver, type, name; with /tcp
// behind the address, it came over TCP. A line with the type SMTP is a session: time,
// client, SMTP, sender.
// The time is that of --since. With -seal, all events are sealed. With -linger,
// the journal stays open for a while after the events were written.
func logFixture() {
	seal := flag.Bool("seal", false, "")
	linger := flag.Duration("linger", 0, "")
	server := flag.String("server", "ns1.example.net", "")
	flag.Parse()
	if err := writeFixture(flag.Arg(0), flag.Arg(1), *server, *seal, *linger); err != nil {
		fmt.Fprintln(os.Stderr, "logfixture:", err)
		os.Exit(1)
	}
}

func writeFixture(dir, file, server string, seal bool, linger time.Duration) error {
	packets, err := readFixture(file)
	if err != nil {
		return err
	}
	s := journal.Settings{
		Dir: dir, Server: server, SegmentAge: time.Hour, Logger: zerolog.Nop(),
		Zones: []journal.Zone{{Name: "_spf.example.net", Layouts: []spftrack.Layout{spftrack.Track}}},
	}
	if seal {
		s.SegmentAge = 20 * time.Millisecond
	}
	j, err := journal.Open(s)
	if err != nil {
		return err
	}
	defer j.Close()
	for i := range packets {
		j.Worker(0).Put(&packets[i])
	}
	j.Worker(0).Commit()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		st := j.Stats()
		if st.Pending == 0 && (!seal || st.SegmentEvents == st.NextSeq-1) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the events are not stored: %+v", st)
		}
	}
	time.Sleep(linger)
	return j.Close()
}

func readFixture(file string) ([]journal.Packet, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var packets []journal.Packet
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 4 {
			continue
		}
		at, err := forgerylog.ParseTime(words[0], time.Now())
		if err != nil {
			return nil, err
		}
		source, verified := strings.CutSuffix(words[1], "/tcp")
		resolver, err := netip.ParseAddr(source)
		if err != nil {
			return nil, err
		}
		if words[2] == "SMTP" {
			s := journal.Session{Time: at.UnixNano(), Client: netip.AddrPortFrom(resolver, 2525), HELO: "mail"}
			s.SenderLocal, s.SenderDomain, _ = strings.Cut(words[3], "@")
			packets = append(packets, *s.Packet(new(journal.SessionBuffer)))
			continue
		}
		qtype, err := parseType(words[2])
		if err != nil {
			return nil, err
		}
		name, err := wire.PackName(words[3] + "._spf.example.net")
		if err != nil {
			return nil, err
		}
		p := journal.Packet{Time: at.UnixNano(), Resolver: netip.AddrPortFrom(resolver, 5353), Qtype: qtype, Name: name}
		if verified {
			p.Transport, p.Verified = spftrack.TransportTCP, true
		}
		packets = append(packets, p)
	}
	return packets, nil
}

// listed asks the nameserver at $ENDPOINT whether a block list has a name: listed NAME.
func listed(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: listed NAME")
	}
	at, err := netip.ParseAddrPort(ts.Getenv("ENDPOINT"))
	ts.Check(err)
	m, err := peers.Query(context.Background(), at, args[0]+".", dns.TypeA, nil)
	ts.Check(err)
	if found := len(m.Answer) == 1; found == neg || !found && m.Rcode != dns.RcodeNameError {
		ts.Fatalf("%s: %s", args[0], m)
	}
}
