package zones

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// appliedDir holds, for each running server that follows the output folder,
// the manifest and the inputs as they were when it last did.
const appliedDir = ".applied"

// Lag is what a running server does not know yet.
type Lag struct {
	// Added, Removed and Changed are names of zones.
	Added, Removed, Changed []string
	// Files is set when the files made from the whole set have changed.
	Files bool
	// Unknown is set when nobody knows what the server has read: it must read
	// everything. The names are then empty.
	Unknown bool
}

// Empty reports whether the server is up to date.
func (l Lag) Empty() bool {
	return len(l.Added)+len(l.Removed)+len(l.Changed) == 0 && !l.Files && !l.Unknown
}

// Lag compares what a plan makes of the output folder with what a server knew
// when [MarkApplied] was last called for it. server is a file name.
func (p *Plan) Lag(server string, files []File, settings Hash) (Lag, error) {
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
	inputs := p.inputs(files, settings)
	lag := Lag{Files: string(head) != hex.EncodeToString(inputs[:])}
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

// MarkApplied notes that a server has read what the output folder dir holds.
func MarkApplied(dir, server string) error {
	inputs, err := os.ReadFile(filepath.Join(dir, inputsFile))
	if err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return err
	}
	head, _, _ := bytes.Cut(inputs, []byte{'\n'})
	folder := filepath.Join(dir, appliedDir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(folder, "."+server)
	if err := os.WriteFile(temporary, append(append(head, '\n'), manifest...), 0o644); err != nil {
		return fmt.Errorf("cannot note what %s has read: %w", server, err)
	}
	return os.Rename(temporary, filepath.Join(folder, server))
}
