package named

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Verdict is what the check of a file came to.
type Verdict string

// The verdicts.
const (
	CheckOK    Verdict = "ok"
	CheckFault Verdict = "failed"
	NotChecked Verdict = "not checked"
	CheckWarn  Verdict = "warning"
)

// CheckResult is the outcome of the check of a file with a server's own program.
type CheckResult struct {
	Server Server
	// File is the path below the output directory; "zones" means all zone
	// files.
	File    string
	Verdict Verdict
	// Reason says why a file was not checked, or gives the program's exit status.
	Reason string
	// Output is the end of the program's output, at most 20 lines.
	Output string
}

// Check checks the files below root, the output directory, with the programs of
// the servers: named-checkconf with all zones, nsd-checkconf, knotc and nullspfd.
// It never fails: what could not be checked, because a program is not installed
// or too old, is among the results.
func Check(ctx context.Context, s Settings, root string) []CheckResult {
	c := &checker{ctx: ctx, Settings: &s, root: root}
	if s.has(BIND) {
		c.bind()
	}
	if s.has(NSD) {
		c.nsd()
	}
	if s.has(Knot) {
		c.knot()
	}
	if s.has(Nullspfd) {
		c.nullspfd()
	}
	c.zones()
	return c.results
}

type checker struct {
	ctx context.Context
	*Settings
	root    string
	results []CheckResult
	// zonesChecked is set when a program has read all zone files.
	zonesChecked bool
}

// run checks a file with a program. The program runs in the output directory,
// against which it resolves relative file names.
func (c *checker) run(server Server, file, stdin string, skip func([]byte) bool, argv ...string) {
	r := CheckResult{Server: server, File: file, Verdict: CheckOK}
	defer func() { c.results = append(c.results, r) }()
	program, err := FindProgram(argv[0])
	if err != nil {
		r.Verdict, r.Reason = NotChecked, err.Error()
		return
	}
	cmd := exec.CommandContext(c.ctx, program, argv[1:]...)
	cmd.Dir = c.root
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	out := &tail{skip: skip}
	err = execute(c.ctx, cmd, out)
	r.Output = out.String()
	switch {
	case c.ctx.Err() != nil:
		r.Verdict, r.Reason = NotChecked, err.Error()
	case err != nil:
		r.Verdict, r.Reason = CheckFault, fmt.Sprintf("%s: %v", argv[0], err)
	}
}

func (c *checker) notChecked(server Server, file, reason string) {
	c.results = append(c.results, CheckResult{Server: server, File: file, Verdict: NotChecked, Reason: reason})
}

// file gives the path of a file for the command line.
func (c *checker) file(name string) string { return filepath.Join(c.root, filepath.FromSlash(name)) }

// loaded recognises the line that named-checkconf -z writes for each valid zone.
func loaded(line []byte) bool { return bytes.Contains(line, []byte(": loaded serial ")) }

func (c *checker) bind() {
	const primary, secondary, catalog, options = "named/primary.conf", "named/secondary.conf", "named/secondary-catalog.conf", "named/secondary-catalog-options.conf"
	c.named(primary, loaded, "-z")
	c.zonesChecked = c.results[len(c.results)-1].Verdict != NotChecked
	if !c.secondaries() {
		return
	}
	c.named(secondary, nil)
	if c.Catalog != "" {
		if c.View != "" {
			c.named(catalog, nil)
			return
		}
		whole := "options { include " + quote(c.file(options)) + "; };\ninclude " + quote(c.file(catalog)) + ";\n"
		c.run(BIND, catalog, whole, nil, "named-checkconf", "/dev/stdin")
	}
}

// named checks a file with named-checkconf, inside the view if there is one.
func (c *checker) named(file string, skip func([]byte) bool, flags ...string) {
	argv := append([]string{"named-checkconf"}, flags...)
	if c.View == "" {
		c.run(BIND, file, "", skip, append(argv, c.file(file))...)
		return
	}
	role := RolePrimary
	if !strings.Contains(file, role) {
		role = RoleSecondary
	}
	c.run(BIND, file, c.bindView(role, c.file(file)), skip, append(argv, "/dev/stdin")...)
}

// bindView is a named.conf that has a file in the view.
func (c *checker) bindView(role, file string) string {
	text := "include " + quote(c.file(bindLists(role))) + ";\nview " + quote(c.View) + " {\n\tinclude " + quote(file) + ";\n"
	if strings.Contains(filepath.Base(file), "catalog") {
		text += "\tinclude " + quote(c.file("named/secondary-catalog-options.conf")) + ";\n"
	}
	return text + "};\n"
}

func (c *checker) nsd() {
	const catalog = "nsd/secondary-catalog.conf"
	c.nsdFile("nsd/primary.conf")
	if !c.secondaries() {
		return
	}
	c.nsdFile("nsd/secondary.conf")
	if c.Catalog == "" {
		return
	}
	if version, known := nsdVersion(c.ctx); known && version < nsdCatalogs {
		c.notChecked(NSD, catalog, fmt.Sprintf("catalog zones require NSD 4.9; the installed version is %d.%d", version/100, version%100))
		return
	}
	c.nsdFile(catalog)
}

// nsdFile checks a file together with the key, which it includes itself only
// when file names are absolute.
func (c *checker) nsdFile(file string) {
	whole := "include: " + quote(c.file(file)) + "\n"
	if c.Relative && c.TSIG != nil {
		whole = "include: " + quote(c.file("nsd/tsig.key")) + "\n" + whole
	}
	c.run(NSD, file, whole, nil, "nsd-checkconf", "/dev/stdin")
}

// nsdCatalogs is the first version of NSD that consumes catalog zones.
const nsdCatalogs = 409

var nsdVersionText = regexp.MustCompile(`NSD version (\d{1,4})\.(\d{1,2})`)

// nsdVersion asks nsd for its version: 406 for 4.6.
func nsdVersion(ctx context.Context) (version int, known bool) {
	program, err := FindProgram("nsd")
	if err != nil {
		return 0, false
	}
	out := &tail{}
	if err := execute(ctx, exec.CommandContext(ctx, program, "-v"), out); err != nil {
		return 0, false
	}
	match := nsdVersionText.FindStringSubmatch(out.String())
	if match == nil {
		return 0, false
	}
	major, _ := strconv.Atoi(match[1]) // digits only
	minor, _ := strconv.Atoi(match[2])
	return major*100 + minor, true
}

func (c *checker) knot() {
	files := []string{"knot/primary.conf"}
	if c.secondaries() {
		files = append(files, "knot/secondary.conf")
		if c.Catalog != "" {
			files = append(files, "knot/secondary-catalog.conf")
		}
	}
	for _, file := range files {
		c.run(Knot, file, "", nil, "knotc", "-c", c.file(file), "conf-check")
	}
}

func (c *checker) nullspfd() {
	for _, file := range c.corefiles() {
		c.run(Nullspfd, file, "", nil, "nullspfd", "-check", "-conf", c.file(file))
	}
}

// zones checks the contents of the zone files, if that has not been done.
func (c *checker) zones() {
	switch {
	case c.zonesChecked:
	case c.has(Knot):
		c.run(Knot, "zones", "", nil, "knotc", "-c", c.file("knot/primary.conf"), "zone-check")
	case c.has(NSD):
		c.notChecked(NSD, "zones", "zone files are checked with named-checkconf or knotc; add bind or knot to servers")
	}
}
