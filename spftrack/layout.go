package spftrack

import (
	"fmt"
	"strings"

	"nullspf/internal/dnsname"
)

// Layout names a form of SPF record for domains that send no mail.
type Layout string

// The layouts.
const (
	// Plain refuses all mail and asks nothing.
	Plain Layout = "plain"
	// Beacon refuses all mail and reports in exp= only, which receivers fetch
	// after fail, if they support it.
	Beacon Layout = "beacon"
	// Track reports address and domain in exists:, and all of it in exp=.
	Track Layout = "track"
	// Exists is Track without exp=, which some receivers take for an error when
	// it holds macros: address and domain are reported, sender and HELO are not.
	Exists Layout = "exists"
	// Classic reports address, sender and HELO in one exists: name.
	Classic Layout = "classic"
)

// Layouts lists the layouts in the order in which messages name them.
var Layouts = []Layout{Plain, Beacon, Track, Exists, Classic}

// Settings are what a record needs beside its layout.
type Settings struct {
	// Zone is the tracking zone, such as "_spf.example.net". Plain ignores it.
	Zone dnsname.Name
	// Qualifier of the exists: mechanism in Classic: "-", the default for "",
	// or "+". The other layouts ignore it.
	Qualifier string
}

// The domain-specs of the layouts, each up to the tracking zone.
const (
	existsSpec  = "%{i}.%{v}.CL.%{d}.FD.1."
	expSpec     = "%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2."
	classicSpec = "CL.%{i}.FR.%{s}.HE.%{h}."
)

// ParseLayout returns the layout called s, in lower case.
func ParseLayout(s string) (Layout, error) {
	for _, l := range Layouts {
		if s == string(l) {
			return l, nil
		}
	}
	return "", fmt.Errorf("unknown layout %q: use one of plain, beacon, track, exists, classic", s)
}

// policy is a compiled layout: its record, and the names that the record makes
// receivers ask for. It is safe for concurrent use.
type policy struct {
	record string
	// exists and exp are nil where the layout has none.
	exists, exp *MacroString
}

// compile checks the settings of a layout and compiles its record. The error
// names the setting and what to write instead.
func compile(layout Layout, s Settings) (*policy, error) {
	if _, err := ParseLayout(string(layout)); err != nil {
		return nil, err
	}
	if layout == Plain {
		return &policy{record: "v=spf1 -all"}, nil
	}
	if err := checkZone(layout, s.Zone); err != nil {
		return nil, err
	}
	var exists, exp, record string
	zone := string(s.Zone)
	switch layout {
	case Beacon:
		exp = expSpec + zone
		record = "v=spf1 -all exp=" + exp
	case Track:
		exists, exp = existsSpec+zone, expSpec+zone
		record = "v=spf1 -exists:" + exists + " -all exp=" + exp
	case Exists:
		exists = existsSpec + zone
		record = "v=spf1 -exists:" + exists + " -all"
	case Classic:
		qualifier := s.Qualifier
		switch qualifier {
		case "":
			qualifier = "-"
		case "-", "+":
		default:
			return nil, fmt.Errorf(`layout classic: qualifier %q: use "-", or "+" for the original record`, qualifier)
		}
		exists = classicSpec + zone
		record = "v=spf1 " + qualifier + "exists:" + exists + " -all"
	}
	p := &policy{record: record}
	var err error
	if exists != "" {
		if p.exists, err = compileDomainSpec(exists); err != nil {
			return nil, err
		}
	}
	if exp != "" {
		if p.exp, err = compileDomainSpec(exp); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Record returns the text of the TXT record of a layout, which may exceed the
// 255 bytes of one string. The error names the setting and what to write instead.
func Record(layout Layout, s Settings) (string, error) {
	p, err := compile(layout, s)
	if err != nil {
		return "", err
	}
	return p.record, nil
}

// ParseRecord finds the layout and the settings with which [Record] gives a text;
// ok is false when there are none.
func ParseRecord(text string) (layout Layout, s Settings, ok bool) {
	const zone = "_zone.example"
	for _, layout := range Layouts {
		for _, qualifier := range []string{"", "+"} {
			s := Settings{Zone: zone, Qualifier: qualifier}
			record, err := Record(layout, s)
			if err != nil {
				continue
			}
			before, _, _ := strings.Cut(record, zone)
			if rest, ok := strings.CutPrefix(text, before); ok {
				name, _, _ := strings.Cut(rest, " ")
				s.Zone = dnsname.Name(name)
			}
			if layout != Classic {
				s.Qualifier = ""
			}
			if record, err = Record(layout, s); err == nil && record == text {
				return layout, s, true
			}
		}
	}
	return "", Settings{}, false
}

// roomForDomain is the length of a domain that must fit into an exists: name
// for an IPv6 client, or Warnings says so.
const roomForDomain = 64

// Warnings says what an operator should know before publishing a layout; nil
// when there is nothing to say.
func Warnings(layout Layout, s Settings) []string {
	var w []string
	switch layout {
	case Beacon, Track, Exists:
		// 32 nibbles with their dots, "ip6.CL.", ".FD.1." around the domain.
		const around = 64 + len("ip6.CL.") + len(".FD.1.")
		if room := max(maxText-around-len(s.Zone), 0); room < roomForDomain {
			w = append(w, fmt.Sprintf("tracking zone %s is long: names about domains of more than %d bytes lose part of an IPv6 client's address; use a shorter zone", s.Zone, room))
		}
	case Classic:
		w = append(w,
			"layout classic: some SPF implementations and resolvers never send a name that holds @, and long names lose the client's address first; layout track has neither weakness")
		if s.Qualifier == "+" {
			w = append(w, `layout classic with qualifier "+": any stray positive answer to an exists: name makes forged mail PASS; use "-", which works the same`)
		}
	}
	return w
}

// checkZone refuses what would not stand in a record or be served: the zone
// ends a domain-spec, so its last label is a toplabel (RFC 7208 section 7.1).
func checkZone(layout Layout, zone dnsname.Name) error {
	if zone == "" {
		return fmt.Errorf("layout %s needs a tracking zone, such as _spf.example.net; layout plain needs none", layout)
	}
	if err := zone.Check(); err != nil {
		return fmt.Errorf("layout %s: tracking zone %q: %w", layout, zone, err)
	}
	if !isTopLabel(zone.Top()) {
		return fmt.Errorf("layout %s: tracking zone %q: its last label must hold a letter or hyphen, and no underscore", layout, zone)
	}
	return nil
}

// isTopLabel reports whether s is a toplabel of RFC 7208 section 7.1.
func isTopLabel(s string) bool {
	letter := false
	for _, c := range []byte(s) {
		switch {
		case c == '-' || isAlnum(c) && !isDigit(c):
			letter = true
		case !isDigit(c):
			return false
		}
	}
	return letter && s[0] != '-' && s[len(s)-1] != '-'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
