package zones

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"nullspf/internal/files"
)

// appliedDir holds, for each running server that follows the output directory,
// the manifest as it was when it last did, after a line for the settings.
const appliedDir = ".applied"

// Lag is what a running server does not know yet.
type Lag struct {
	// Added, Removed and Changed are names of zones.
	Added, Removed, Changed []string
	// Settings is set when those of the server configurations have changed.
	Settings bool
	// Unknown is set when nobody knows what the server has read: it must read
	// everything. The names are then empty.
	Unknown bool
}

// Empty reports whether the server is up to date.
func (l Lag) Empty() bool {
	return len(l.Added)+len(l.Removed)+len(l.Changed) == 0 && !l.Settings && !l.Unknown
}

// Lag compares what a plan makes of the output directory with what a server knew
// when [MarkApplied] was last called for it. server is a file name; settings
// stands for those of the server configurations.
func (p *Plan) Lag(server string, settings Hash) (Lag, error) {
	applied, err := os.ReadFile(filepath.Join(p.dir, appliedDir, server))
	if errors.Is(err, fs.ErrNotExist) {
		return Lag{Unknown: true}, nil
	}
	if err != nil {
		return Lag{}, err
	}
	head, rest, _ := bytes.Cut(applied, []byte{'\n'})
	entries, err := parseManifest(rest)
	if err != nil {
		return Lag{Unknown: true}, nil
	}
	lag := Lag{Settings: string(head) != hex.EncodeToString(settings[:])}
	known := manifest{entries: entries}
	for i := range p.set.Entries {
		name := p.set.Entries[i].Name
		switch old := known.find(name); {
		case old == nil:
			lag.Added = append(lag.Added, name)
		case old.serial != p.serials[i] || old.hash != p.hashes[i]:
			lag.Changed = append(lag.Changed, name)
		}
	}
	for _, e := range entries {
		if p.set.Find(e.name) == nil {
			lag.Removed = append(lag.Removed, e.name)
		}
	}
	return lag, nil
}

// MarkApplied notes that a server has read what the output directory dir holds.
func MarkApplied(dir, server string, settings Hash) error {
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return err
	}
	applied := filepath.Join(dir, appliedDir)
	if err := os.MkdirAll(applied, 0o755); err != nil {
		return err
	}
	text := append([]byte(hex.EncodeToString(settings[:])+"\n"), manifest...)
	if err := files.Replace(filepath.Join(applied, server), text, files.Attributes{Mode: 0o644}); err != nil {
		return fmt.Errorf("cannot record what %s has loaded: %w", server, err)
	}
	return nil
}
