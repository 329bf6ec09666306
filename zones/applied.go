package zones

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nullspf/internal/files"
)

// appliedDir holds, for each running server that follows the output directory,
// the manifest as it was when it last did, after a line for the settings and one
// for each zone kept by hand:
//
//   - <tab> zone <tab> hash of the included files <newline>
const (
	appliedDir      = ".applied"
	appliedHandKept = "+\t"
)

// Lag is what a running server does not know yet.
type Lag struct {
	// Added, Removed and Changed are names of zones.
	Added, Removed, Changed []string
	// HandKept are zones kept by hand that include files with other records, and
	// whose serial number has risen since.
	HandKept []string
	// Settings is set when those of the server configurations have changed.
	Settings bool
	// Unknown is set when nobody knows what the server has read: it must read
	// everything. The names are then empty.
	Unknown bool
}

// Empty reports whether the server is up to date.
func (l Lag) Empty() bool {
	return len(l.Added)+len(l.Removed)+len(l.Changed)+len(l.HandKept) == 0 && !l.Settings && !l.Unknown
}

// applied is what a server knew when MarkApplied was last called for it.
type applied struct {
	settings string
	handKept map[string]string
	manifest
}

// loadApplied returns nil when it is not known what a server knew.
func loadApplied(dir, server string) (*applied, error) {
	text, err := files.ReadFile(filepath.Join(dir, appliedDir, server))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, rest, _ := bytes.Cut(text, newline)
	a := &applied{settings: string(head), handKept: make(map[string]string)}
	for bytes.HasPrefix(rest, []byte(appliedHandKept)) {
		head, rest, _ = bytes.Cut(rest, newline)
		zone, sum, _ := strings.Cut(string(head[len(appliedHandKept):]), "\t")
		a.handKept[zone] = sum
	}
	if a.entries, err = parseManifest(rest); err != nil {
		return nil, nil
	}
	return a, nil
}

// Lag compares what a plan makes of the output directory with what a server knew
// when [MarkApplied] was last called for it. server is a file name; settings
// stands for those of the server configurations; handKept are the zones kept by
// hand that it serves.
func (p *Plan) Lag(server string, settings Hash, handKept []HandKeptState) (Lag, error) {
	known, err := loadApplied(p.dir, server)
	if err != nil || known == nil {
		return Lag{Unknown: err == nil}, err
	}
	lag := Lag{Settings: known.settings != hex.EncodeToString(settings[:])}
	for i := range p.set.Entries {
		name := p.set.Entries[i].Name
		switch old := known.find(name); {
		case old == nil:
			lag.Added = append(lag.Added, name)
		case old.serial != p.serials[i] || old.hash != p.hashes[i]:
			lag.Changed = append(lag.Changed, name)
		}
	}
	for _, e := range known.entries {
		if p.set.Find(e.name) == nil {
			lag.Removed = append(lag.Removed, e.name)
		}
	}
	for _, s := range handKept {
		name := string(s.Zone.Name)
		if s.ready() && known.handKept[name] != s.sum() {
			lag.HandKept = append(lag.HandKept, name)
		}
	}
	return lag, nil
}

// MarkApplied notes that a server has read what the output directory dir holds,
// and the zones kept by hand that are not behind.
func MarkApplied(dir, server string, settings Hash, handKept []HandKeptState) error {
	manifest, err := files.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return err
	}
	before, err := loadApplied(dir, server)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, appliedDir), 0o755); err != nil {
		return err
	}
	text := []byte(hex.EncodeToString(settings[:]) + "\n")
	for _, s := range handKept {
		name, sum := string(s.Zone.Name), s.sum()
		if !s.ready() {
			if before == nil || before.handKept[name] == "" {
				continue
			}
			sum = before.handKept[name]
		}
		text = append(text, appliedHandKept+name+"\t"+sum+"\n"...)
	}
	text = append(text, manifest...)
	if err := files.Replace(filepath.Join(dir, appliedDir, server), text, files.Attributes{Mode: 0o644}); err != nil {
		return fmt.Errorf("cannot record what %s has loaded: %w", server, err)
	}
	return nil
}
