// Package nullspf_test holds the checkout to the rules that no single package
// can check.
package nullspf_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the floors of the house into CONTRIBUTING.md")

// house is the picture of the module: floors from the top to the ground, and
// the packages on each. A package imports packages on lower floors only. Tests
// import what they need. CONTRIBUTING.md shows it.
const house = `
workshop
    internal/bench/apply  make bench-apply
    internal/bench/attempts  go run: how well attempts count messages
    internal/bench/dns    make bench-dns
    internal/bench/imports  go run: the import of a query log beside zcat and the sealer
    internal/bench/log    make bench-log
    internal/bench/matrix make matrix: what SPF implementations do with each layout
    internal/bench/poison go run: what it costs to have an innocent address listed
    internal/bench/senders  make senders: how mail servers send to nolisting
    internal/bench/smtp   make bench-smtp
    internal/bench/web    make bench-web
    internal/bench/xdp    make bench-xdp
    internal/bench/xfr    make bench-xfr
    internal/bench/zones  make bench
    internal/demo         make demo: the main jobs on the examples
    internal/interop      tests: SPF implementations and resolvers of others
    internal/loadtest     tests: the daemon under load, faults and floods
    internal/torture/run  make torture
    packaging             make install, make deb, make dist
tools: for tests and the workshop
    internal/mtas         mail servers of others
    internal/testsite     published zones to serve
    internal/bench/unsealed  nullspfd as benchmarks measure it
    internal/torture      long tests: time, seed, counts, figures
peers
    internal/peers        nameservers of others, and what tests need of a machine
programs
    cmd/nullspf           the operator's tool
    cmd/nullspfd          the nameserver
settings
    internal/config       nullspf.yaml
    internal/corefile     the Corefile
pages
    internal/web          nullspf web
reports
    internal/report       what the forgery log says about a period
the daemon
    internal/nameserver   sockets, answers, limits, reloads
engines
    internal/evidence     what other programs know becomes events
    internal/evidence/blocklist  lists of addresses as other programs read them
    internal/forgerylog   queries over journals
    internal/importer     existing zones become lists and groups
    internal/shipping     sealed events to ClickHouse
    internal/secondary    secondary zones: schedule, refresh, catalog, files
    internal/mxprobe      what mail hosts do at port 25
    internal/verify       what nameservers answer, beside the plan
journals, tiers, transfers, control
    internal/control      the control socket
    internal/evidence/tier  how certain it is that an address forges
    internal/journal      events on disk
    internal/xfr          AXFR, IXFR, NOTIFY, TSIG, catalog zones as messages
counts
    internal/tally        counts of texts, summaries of segments
stores
    internal/eventrow     the schema of an event
    internal/mailmaps     tables of mail servers
    internal/zonestore    zones in memory
events
    internal/attempt      which events are attempts
layouts
    named                 configurations of nameservers
    nolisting             MX tiers, the SMTP listener that never accepts
    spftrack              SPF layouts, events, answers of a tracking zone
lists
    zones                 lists and groups become zone files
names, certificates
    internal/dnsname      names of hosts, zones and mailboxes as people write them
    internal/keypair      TLS certificates in files that change
    internal/maillog      refusals in logs of mail servers
    internal/wire         names and records in wire format
leaves: import nothing of this module
    docs/man              sources of the man pages
    internal/ascii        case of ASCII letters
    internal/chart        numbers over time as SVG
    internal/clickhouse   the HTTP interface of ClickHouse
    internal/conns        who makes room when all connections are used
    internal/contain      panics of background work become errors
    internal/dmarc        DMARC aggregate reports, and the mails in which they come
    internal/files        files: sync, lock, replace, watch
    internal/geoip        autonomous systems and countries of addresses
    internal/loglimit     log lines of one kind, no more than can be read
    internal/logtime      times of lines in logs
    internal/proxyheader  the PROXY protocol
    internal/reverse      names that belong to addresses
    internal/special      addresses that no host of the public Internet has
    internal/serial       order of serial numbers
    internal/tsigkey      files with the secrets of TSIG keys
    internal/value        addresses, prefixes, durations, sizes as people write them
    internal/version      the version of the programs
    internal/xdp          UDP messages beside the kernel's network stack
`

// libraries says which packages import a library or a part of it, outside of
// tests. The longest path that fits counts.
var libraries = map[string]string{
	"github.com/cilium/ebpf":                        "internal/xdp",
	"github.com/coredns/caddy":                      "internal/corefile",
	"github.com/cpuguy83/go-md2man":                 "cmd/nullspf",
	"github.com/go-viper/mapstructure":              "internal/config",
	"github.com/emersion/go-smtp":                   "nolisting",
	"github.com/gopacket/gopacket":                  "internal/evidence",
	"github.com/miekg/dns":                          "zones internal/bench/matrix internal/bench/xfr internal/evidence internal/importer internal/nameserver internal/peers internal/secondary internal/verify internal/wire internal/xfr internal/zonestore",
	"github.com/parquet-go/parquet-go":              "internal/eventrow internal/forgerylog internal/journal internal/shipping internal/tally",
	"github.com/prometheus/client_golang":           "internal/nameserver",
	"github.com/prometheus/client_model":            "internal/web",
	"github.com/prometheus/common":                  "internal/web",
	"github.com/cespare/xxhash/v2":                  "internal/tally",
	"github.com/klauspost/compress/gzip":            "internal/evidence",
	"github.com/klauspost/compress/zstd":            "internal/evidence internal/journal internal/tally",
	"github.com/rs/zerolog":                         "cmd/nullspf cmd/nullspfd internal/bench/imports internal/bench/log internal/bench/unsealed internal/control internal/journal internal/loglimit internal/nameserver internal/secondary internal/web internal/xfr nolisting",
	"github.com/rs/zerolog/log":                     "", // loggers are parameters
	"github.com/schollz/progressbar":                "cmd/nullspf",
	"github.com/spf13/cobra":                        "cmd/nullspf",
	"github.com/spf13/pflag":                        "cmd/nullspf",
	"github.com/spf13/viper":                        "internal/config",
	"go.yaml.in/yaml":                               "internal/config",
	"google.golang.org/protobuf/encoding/protowire": "internal/evidence",
	"golang.org/x/net/netutil":                      "internal/control internal/nameserver",
	"golang.org/x/crypto":                           "internal/web",
	"golang.org/x/net/idna":                         "internal/dnsname",
	"golang.org/x/net/publicsuffix":                 "zones internal/secondary",
	"golang.org/x/sys/unix":                         "zones internal/bench/dns internal/bench/log internal/bench/senders internal/bench/smtp internal/bench/xdp internal/bench/web internal/corefile internal/files internal/journal internal/nameserver internal/peers internal/xdp",
	"golang.org/x/term":                             "cmd/nullspf cmd/nullspfd",

	"github.com/oschwald/maxminddb-golang": "internal/geoip",
}

// floor is a floor of the house; leaves are the ground, 0.
type floor struct {
	number int
	name   string
}

// floors reads the picture.
func floors(t *testing.T) map[string]floor {
	t.Helper()
	lines := strings.Split(strings.Trim(house, "\n"), "\n")
	slices.Reverse(lines)
	of := make(map[string]floor)
	var packages []string
	number := 0
	for _, line := range lines {
		if indented, is := strings.CutPrefix(line, "    "); is {
			name, purpose, _ := strings.Cut(indented, " ")
			if strings.TrimSpace(purpose) == "" {
				t.Errorf("the house says nothing about %s", name)
			}
			packages = append(packages, name)
			continue
		}
		name, _, _ := strings.Cut(line, ":")
		for _, p := range packages {
			if on, twice := of[p]; twice {
				t.Errorf("%s stands on two floors: %s and %s", p, on.name, name)
			}
			of[p] = floor{number, name}
		}
		packages = nil
		number++
	}
	return of
}

// goPackage is what go list says about a package.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// list returns the packages of this module.
func list(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// own returns the path of a package inside this module.
func own(path string) (string, bool) { return strings.CutPrefix(path, "nullspf/") }

// TestImportsPointOneWay holds all packages to the house.
func TestImportsPointOneWay(t *testing.T) {
	of := floors(t)
	there := make(map[string]bool)
	for _, p := range list(t) {
		from, is := own(p.ImportPath)
		if !is {
			continue // this package, which is tests alone
		}
		there[from] = true
		var lowest floor
		for _, path := range p.Imports {
			to, is := own(path)
			if !is {
				continue
			}
			if below := of[to]; below.number >= lowest.number {
				lowest = floor{below.number + 1, fmt.Sprintf("a floor above %s, where %s is", below.name, to)}
			}
		}
		on, stands := of[from]
		switch {
		case !stands:
			t.Errorf("%s has no place in the house.\nWrite a line for it into the picture in imports_test.go, on %s, then run: go test . -update",
				from, cmp.Or(lowest.name, "the leaves or any other floor"))
		case on.number < lowest.number:
			t.Errorf("%s stands on the floor %s, and its imports need %s", from, on.name, lowest.name)
		}
	}
	for p := range of {
		if !there[p] {
			t.Errorf("%s stands in the picture in imports_test.go, and there is no such package", p)
		}
	}
}

// TestLibrariesHaveUsers holds libraries to the packages made for them.
func TestLibrariesHaveUsers(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range list(t) {
		from, _ := own(p.ImportPath)
		for _, path := range p.Imports {
			if host, _, _ := strings.Cut(path, "/"); !strings.Contains(host, ".") {
				continue // this module or the standard library
			}
			library := ""
			for l := range libraries {
				if (path == l || strings.HasPrefix(path, l+"/")) && len(l) > len(library) {
					library = l
				}
			}
			used[library+" "+from] = true
			switch users := libraries[library]; {
			case library == "":
				t.Errorf("%s imports %s: write a line for the library into libraries in imports_test.go, if nothing that is there will do", from, path)
			case !slices.Contains(strings.Fields(users), from):
				t.Errorf("%s imports %s; only these may: %s", from, path, cmp.Or(users, "tests"))
			}
		}
	}
	for library, users := range libraries {
		for user := range strings.FieldsSeq(users) {
			if !used[library+" "+user] {
				t.Errorf("libraries in imports_test.go lets %s import %s, which it does not", user, library)
			}
		}
	}
}

// TestContributingShowsTheHouse compares the picture with that in
// CONTRIBUTING.md, between these lines.
func TestContributingShowsTheHouse(t *testing.T) {
	const path, begin, end = "CONTRIBUTING.md", "<!-- the house -->\n```text\n", "\n```\n<!-- end of the house -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	shown, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no picture between %q and %q", path, begin, end)
	}
	if want := strings.Trim(house, "\n"); shown != want {
		if !*update {
			t.Fatalf("%s shows another house than imports_test.go; run: go test . -update", path)
		}
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
