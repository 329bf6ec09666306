package importer

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/files"
	"nullspf/internal/value"
	"nullspf/spftrack"
	"nullspf/zones"
)

// The names of the files.
const (
	ConfigFile  = "nullspf.yaml"
	LeftOutFile = "left-out.txt"
	outputDir   = "build"
)

// Write makes a directory with the configuration, the lists, the zones that were left
// out, and below the output directory the zones as they were. It is made whole or not
// at all: check is called with the path of the finished directory before that gets
// its name, and may refuse it.
func (r *Result) Write(dir string, check func(dir string) error) (err error) {
	if err := MustNotExist(dir); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(dir))
	temporary, err := os.MkdirTemp(parent, ".nullspf-import-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temporary))
		}
	}()
	temporary = filepath.Clean(temporary)
	if err := r.fill(temporary); err != nil {
		return err
	}
	if err := check(temporary); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(temporary, 0o755), files.SyncFS(temporary), MustNotExist(dir)); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return err
	}
	return files.SyncDir(parent)
}

// MustNotExist refuses a directory, or anything else, that exists.
func MustNotExist(dir string) error {
	_, err := os.Lstat(dir)
	if err == nil {
		return fmt.Errorf("%s exists, and nothing was written; name a new directory", dir)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// fill writes the files into an empty directory.
func (r *Result) fill(dir string) error {
	if err := writeFile(filepath.Join(dir, ConfigFile), r.config); err != nil {
		return err
	}
	zoneDir := filepath.Join(dir, outputDir, "zones")
	if err := os.MkdirAll(zoneDir, 0o755); err != nil {
		return err
	}
	for _, g := range r.Groups {
		if err := writeFile(filepath.Join(dir, g.List()), g.list); err != nil {
			return err
		}
		for _, z := range g.zones {
			if err := writeFile(filepath.Join(zoneDir, zones.ZoneFile(z.name)), z.zone); err != nil {
				return err
			}
		}
	}
	if len(r.LeftOut) == 0 {
		return nil
	}
	return writeFile(filepath.Join(dir, LeftOutFile), func(w *bufio.Writer) {
		for _, l := range r.LeftOut {
			fmt.Fprintf(w, "%s\t%s\t%s\n", value.Visible(cmp.Or(l.Zone, "-")), value.Visible(l.Place), value.Visible(l.Reason))
		}
	})
}

func writeFile(path string, fill func(*bufio.Writer)) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	fill(w)
	return w.Flush()
}

// zone writes a zone as it was: its records without includes and relative names.
func (z *fitted) zone(w *bufio.Writer) {
	for _, r := range z.records {
		_, _ = w.WriteString(r.String())
		_ = w.WriteByte('\n')
	}
}

// list writes the domains of a group.
func (g *Group) list(w *bufio.Writer) {
	if !g.overrides() {
		for _, z := range g.zones {
			_, _ = w.WriteString(z.name + "\n")
		}
		return
	}
	_, _ = w.WriteString("domain,a\n")
	for _, z := range g.zones {
		_, _ = w.WriteString(z.name + ",")
		if !slices.Equal(z.addresses, g.addresses) {
			_, _ = w.WriteString(joinAddresses(z.addresses, " "))
		}
		_ = w.WriteByte('\n')
	}
}

func joinAddresses(list []netip.Addr, separator string) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, separator)
}

// quote writes a text as a YAML double-quoted scalar, whose escapes are those of Go.
func quote(text string) string { return strconv.Quote(text) }

func seconds(n uint32) string { return value.FormatDuration(time.Duration(n) * time.Second) }

// config writes nullspf.yaml. The settings of the largest group are those of all, as
// far as all can have them.
func (r *Result) config(w *bufio.Writer) {
	base := r.Groups[0].settings
	fmt.Fprintf(w, "# Made by nullspf import from %s.\n", value.Visible(r.Source.Path))
	fmt.Fprintf(w, "output: %s\n", outputDir)
	fmt.Fprintf(w, "nameservers: [%s]\n", strings.ReplaceAll(base.nameservers, " ", ", "))
	fmt.Fprintf(w, "soa: %s\n", soaKeys(base.soa, zones.SOA{}))
	fmt.Fprintf(w, "ttl: %s\n", seconds(base.ttl))
	if base.txtTTL != 0 {
		fmt.Fprintf(w, "txt_ttl: %s\n", seconds(base.txtTTL))
	}
	fmt.Fprint(w, "serial: dateserial   # or unixtime, increment: for zones that change from now on\n")
	if track := r.track(); track != "" {
		fmt.Fprintf(w, "track: {zone: %s}\n", track)
	}
	if host := r.mailHost(); host != "" {
		fmt.Fprintf(w, "postmaster: postmaster@%s   # where mail for postmaster of the domains with MX hosts goes\n", host)
	}
	fmt.Fprint(w, "groups:\n")
	for _, g := range r.Groups {
		g.config(w, base)
	}
	fmt.Fprint(w, `servers: [bind]
# Zone transfers, with addresses of your own:
# primary: {addresses: 192.0.2.1, allow_transfer: 192.0.2.2, also_notify: 192.0.2.2}
# tsig: {name: xfr.example.net, secret_file: tsig.key}
`)
	if r.Source.View != "" {
		fmt.Fprintf(w, "bind_view: %s\n", quote(r.Source.View))
	}
}

// track is the tracking zone of all groups.
func (r *Result) track() dnsname.Name {
	for _, g := range r.Groups {
		if g.settings.track != "" {
			return g.settings.track
		}
	}
	return ""
}

// mailHost is the first host of the largest group with mail hosts.
func (r *Result) mailHost() dnsname.Name {
	for _, g := range r.Groups {
		if hosts := g.settings.mxHosts(); len(hosts) > 0 {
			return hosts[0].Host
		}
	}
	return ""
}

// mxHosts are the mail hosts, none for a null MX.
func (s *settings) mxHosts() []zones.MX {
	var list []zones.MX
	if s.mx == "" {
		return nil
	}
	for text := range strings.SplitSeq(s.mx, ",") {
		preference, host, _ := strings.Cut(text, " ")
		n, _ := strconv.ParseUint(preference, 10, 16) // written by fitMX
		list = append(list, zones.MX{Host: dnsname.Name(host), Preference: uint16(n)})
	}
	return list
}

// soaKeys are the fields that differ from those of base.
func soaKeys(s, base zones.SOA) string {
	var keys []string
	if s.MName != base.MName {
		keys = append(keys, "mname: "+string(s.MName))
	}
	if s.RName != base.RName {
		rname := string(s.RName)
		if strings.ContainsRune(rname, '\\') {
			rname = quote(rname)
		}
		keys = append(keys, "rname: "+rname)
	}
	whole := base == zones.SOA{}
	for _, t := range []struct {
		key       string
		have, was time.Duration
	}{{"refresh", s.Refresh, base.Refresh}, {"retry", s.Retry, base.Retry}, {"expire", s.Expire, base.Expire}, {"minimum", s.Minimum, base.Minimum}} {
		if whole || t.have != t.was {
			keys = append(keys, t.key+": "+value.FormatDuration(t.have))
		}
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// config writes the keys of a group that differ from the defaults.
func (g *Group) config(w *bufio.Writer, base settings) {
	s := g.settings
	key := func(format string, args ...any) { fmt.Fprintf(w, "    "+format+"\n", args...) }
	fmt.Fprintf(w, "  %s:\n", g.Name)
	key("list: %s", g.List())
	if s.nameservers != base.nameservers {
		key("nameservers: [%s]", strings.ReplaceAll(s.nameservers, " ", ", "))
	}
	if s.soa != base.soa {
		key("soa: %s", soaKeys(s.soa, base.soa))
	}
	if s.ttl != base.ttl {
		key("ttl: %s", seconds(s.ttl))
	}
	if txt := cmp.Or(s.txtTTL, s.ttl); txt != cmp.Or(base.txtTTL, s.ttl) {
		key("txt_ttl: %s", seconds(txt))
	}
	v6 := slices.IndexFunc(g.addresses, netip.Addr.Is6)
	if v6 < 0 {
		v6 = len(g.addresses)
	}
	if v6 > 0 {
		key("a: [%s]", joinAddresses(g.addresses[:v6], ", "))
	}
	if v6 < len(g.addresses) {
		key("aaaa: [%s]", quoteAddresses(g.addresses[v6:]))
	}
	if s.www {
		key("www: true")
	}
	if hosts := s.mxHosts(); len(hosts) > 0 {
		key("mail: postmaster")
		key("mx:")
		for _, h := range hosts {
			key("  - {host: %s, preference: %d}", h.Host, h.Preference)
		}
	}
	if s.qualifier == "+" && s.layout == spftrack.Classic {
		key("spf: {layout: %s, qualifier: \"+\"}", s.layout)
	} else {
		key("spf: {layout: %s}", s.layout)
	}
	if s.texts != "" {
		key("txt:")
		for text := range strings.SplitSeq(s.texts, "\x00") {
			key("  - %s", quote(text))
		}
	}
	g.dmarc(key)
	if !s.dkim {
		key("dkim: false")
	}
	if s.wildcard != zones.SPFOfDomain {
		key("wildcard_spf: %s", cmp.Or(s.wildcard, "false"))
	}
	if !s.wildcardMX {
		key("wildcard_mx: false")
	}
}

func quoteAddresses(list []netip.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = quote(a.String())
	}
	return strings.Join(texts, ", ")
}

func (g *Group) dmarc(key func(format string, args ...any)) {
	d := g.settings.dmarc
	if d == (dmarc{}) {
		key("dmarc: {publish: false}")
		return
	}
	keys := []string{"policy: " + d.policy}
	for _, t := range []struct{ name, uris string }{{"rua", d.rua}, {"ruf", d.ruf}} {
		if t.uris == "" {
			continue
		}
		var list []string
		for uri := range strings.SplitSeq(t.uris, ",") {
			list = append(list, quote(uri))
		}
		keys = append(keys, t.name+": ["+strings.Join(list, ", ")+"]")
	}
	key("dmarc: {%s}", strings.Join(keys, ", "))
}
