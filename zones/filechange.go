package zones

import (
	"bufio"
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"nullspf/internal/files"
)

// FileChange is what a run does to a file that is made from the whole set.
type FileChange struct {
	// Path is relative to the output directory.
	Path string
	// Kind is Added, Changed or Removed.
	Kind Kind
	// RecordDiff has the lines that only one version has, without those that name
	// zones which are added or removed; at most maxFileLines of each, and none of a
	// file that holds a secret.
	RecordDiff
	// More is how many lines were left out.
	More int
}

// maxFileLines is how many lines of a difference are kept.
const maxFileLines = 100

// FileChanges returns what a run does to the files made from the whole set, apart
// from what follows from added and removed zones.
func (p *Plan) FileChanges(made []File, settings Hash) ([]FileChange, error) {
	w, err := p.planFiles(made, settings)
	if err != nil || w.current {
		return nil, err
	}
	members := make(map[string]bool)
	p.Changes(func(c Change) bool {
		if c.Kind == Added || c.Kind == Adopted || c.Kind == Removed {
			members[c.Name] = true
		}
		return true
	})
	var changes []FileChange
	for _, f := range made {
		c, err := p.fileChange(f, members)
		if err != nil {
			return nil, err
		}
		if c.Kind != Unchanged {
			changes = append(changes, c)
		}
	}
	for _, path := range w.obsolete {
		changes = append(changes, FileChange{Path: path, Kind: Removed})
	}
	return changes, nil
}

// fileChange compares one file with what is there. The kind is Unchanged when it
// differs by members only.
func (p *Plan) fileChange(f File, members map[string]bool) (FileChange, error) {
	path := filepath.Join(p.dir, filepath.FromSlash(f.Path))
	c := FileChange{Path: f.Path, Kind: Unchanged}
	var serial uint32
	if f.Zone != "" {
		text, err := files.ReadFile(path)
		if err == nil {
			serial, _ = readSerial(text, f.Zone)
		}
	}
	old, _, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.Kind = Added
		return c, nil
	}
	if errors.Is(err, files.ErrNotRegular) {
		c.Kind = Changed
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer old.Close()
	differ := func(in map[uint64]bool, list *[]string) func(line []byte, hash uint64) {
		return func(line []byte, hash uint64) {
			if in[hash] || names(line, members) {
				return
			}
			c.Kind = Changed
			switch {
			case f.Mode&0o077 == 0:
			case len(*list) < maxFileLines:
				*list = append(*list, string(line))
			default:
				c.More++
			}
		}
	}
	seed := maphash.MakeSeed()
	before, after := make(map[uint64]bool), make(map[uint64]bool)
	collect := &lines{seed: seed, each: func(_ []byte, hash uint64) { before[hash] = true }}
	if _, err := io.Copy(collect, old); err != nil {
		return c, err
	}
	collect.end()
	added := differ(before, &c.Added)
	made := &lines{seed: seed, each: func(line []byte, hash uint64) { after[hash] = true; added(line, hash) }}
	b := bufio.NewWriterSize(made, 256<<10)
	if err := errors.Join(f.Write(b, serial), b.Flush()); err != nil {
		return c, err
	}
	made.end()
	if _, err := old.Seek(0, io.SeekStart); err != nil {
		return c, err
	}
	gone := &lines{seed: seed, each: differ(after, &c.Removed)}
	if _, err := io.Copy(gone, old); err != nil {
		return c, err
	}
	gone.end()
	return c, nil
}

// lines is a writer that takes a text apart.
type lines struct {
	seed maphash.Seed
	each func(line []byte, hash uint64)
	rest []byte
}

// Write implements io.Writer; it never fails.
func (l *lines) Write(text []byte) (int, error) {
	n := len(text)
	for {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			l.rest = append(l.rest, text...)
			return n, nil
		}
		line := text[:i]
		if len(l.rest) > 0 {
			l.rest = append(l.rest, line...)
			line = l.rest
		}
		l.line(line)
		l.rest, text = l.rest[:0], text[i+1:]
	}
}

func (l *lines) line(line []byte) {
	if len(bytes.TrimSpace(line)) > 0 {
		l.each(line, maphash.Bytes(l.seed, line))
	}
}

func (l *lines) end() { l.line(l.rest) }

// names reports whether a line has the name of one of some zones, or that of its
// file.
func names(line []byte, zones map[string]bool) bool {
	if len(zones) == 0 {
		return false
	}
	for word := range strings.FieldsFuncSeq(string(line), func(r rune) bool {
		return r > '~' || strings.ContainsRune(" \t\"'/;@=,:(){}[]", r)
	}) {
		word = strings.TrimSuffix(word, ".")
		if zones[word] || zones[strings.TrimSuffix(word, zoneSuffix)] {
			return true
		}
	}
	return false
}
