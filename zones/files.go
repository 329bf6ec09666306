package zones

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"nullspf/internal/files"
)

// inputsFile tells from what the files of the whole set were made: first the
// hash of it all, then a line a file with its path and size. It lets a run in
// which nothing changed leave them alone.
const inputsFile = ".inputs"

// wholeFiles are the files made from the whole set, on their way.
type wholeFiles struct {
	dir    string
	files  []File
	inputs Hash
	// current is set when nothing has changed since they were made.
	current bool
	// obsolete are the paths of files that an earlier run made and this one
	// does not.
	obsolete []string
	staged   []stagedFile
	// record is the new inputsFile, put in place last; its paths are empty
	// when w is current.
	record stagedFile
}

type stagedFile struct{ from, to string }

// planFiles compares the files with what the last run left.
func (p *Plan) planFiles(made []File, settings Hash) (*wholeFiles, error) {
	w := &wholeFiles{dir: p.dir, files: made, inputs: p.inputs(made, settings)}
	path := filepath.Join(p.dir, inputsFile)
	record, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	w.current = first == hex.EncodeToString(w.inputs[:])
	wanted := make(map[string]bool, len(made))
	for _, f := range made {
		wanted[f.Path] = true
	}
	for line := range strings.Lines(rest) {
		path, size, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !wanted[path] && filepath.IsLocal(path) {
			w.obsolete = append(w.obsolete, path)
			continue
		}
		info, err := os.Lstat(filepath.Join(p.dir, path))
		if err != nil || strconv.FormatInt(info.Size(), 10) != size || info.ModTime().After(record.ModTime()) {
			w.current = false
		}
	}
	return w, nil
}

// inputs hashes all on which the files depend.
func (p *Plan) inputs(files []File, settings Hash) Hash {
	h := sha256.New()
	h.Write(settings[:])
	for _, f := range files {
		fmt.Fprintf(h, "%s %v %s\n", f.Path, f.Mode, f.Zone)
	}
	var line []byte
	for i := range p.set.Entries {
		e := &p.set.Entries[i]
		line = append(append(line[:0], e.Name...), ' ')
		line = append(append(line, p.set.Group(e).Name...), ' ')
		line = append(append(line, p.set.Mail(e)...), ' ')
		line = append(append(line, p.set.SPF(e)...), '\n')
		h.Write(line)
	}
	return Hash(h.Sum(nil)[:len(Hash{})])
}

// stage writes the files that differ from what is there.
func (w *wholeFiles) stage(stage string, opts Options) error {
	if w.current {
		return nil
	}
	var inputs bytes.Buffer
	fmt.Fprintln(&inputs, hex.EncodeToString(w.inputs[:]))
	for i, f := range w.files {
		from, to := filepath.Join(stage, "file"+strconv.Itoa(i)), filepath.Join(w.dir, filepath.FromSlash(f.Path))
		if err := stageFile(f, from, to, opts); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		attributes, err := w.attributes(f, from, to)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		info, err := os.Stat(from)
		if err != nil {
			return err
		}
		fmt.Fprintf(&inputs, "%s\t%d\n", f.Path, info.Size())
		if equalFiles(from, to) && !attributes {
			if err := os.Remove(from); err != nil {
				return err
			}
			continue
		}
		w.staged = append(w.staged, stagedFile{from, to})
	}
	w.record = stagedFile{filepath.Join(stage, inputsFile), filepath.Join(w.dir, inputsFile)}
	return os.WriteFile(w.record.from, inputs.Bytes(), 0o644)
}

// attributes gives a staged file owner, group and mode of the file that it is to
// replace, if there is one, and reports whether the mode differs from that of the
// old file. Nobody but owner and group may read a secret.
func (w *wholeFiles) attributes(f File, from, to string) (changed bool, err error) {
	secret := f.Mode&0o077 == 0
	old, err := os.Lstat(to)
	replaces := err == nil && old.Mode().IsRegular()
	if replaces {
		if err := files.Inherit(from, old); errors.Is(err, fs.ErrPermission) && secret {
			return false, fmt.Errorf("the file belongs to another user or group, which the new one cannot be given: run nullspf as root, or change the owner: %w", err)
		} else if err != nil && !errors.Is(err, fs.ErrPermission) {
			return false, err
		}
	}
	if !secret {
		return false, nil
	}
	mode := f.Mode
	if replaces {
		mode |= old.Mode().Perm() & 0o040
	}
	if handsDownGroup(w.dir) {
		mode |= 0o040
	}
	return replaces && mode != old.Mode().Perm(), os.Chmod(from, mode)
}

// handsDownGroup reports whether the files in a directory get its group, because
// it has the setgid bit. Whoever set it has chosen who reads the secrets.
func handsDownGroup(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&fs.ModeSetgid != 0
}

// stageFile writes one file. A zone keeps the serial number of the file at to
// unless something else in it changes.
func stageFile(f File, from, to string, opts Options) error {
	if f.Zone == "" {
		return writeFile(from, f.Mode, f.Write)
	}
	old, err := files.ReadFile(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	last, ok := readSerial(old, f.Zone)
	serial := opts.Scheme.first(opts.Now())
	if ok {
		if err := writeFileSerial(from, f, last); err != nil || equalFiles(from, to) {
			return err
		}
		serial = opts.Scheme.next(last, opts.Now())
	}
	return writeFileSerial(from, f, serial)
}

func writeFileSerial(path string, f File, serial uint32) error {
	return writeFile(path, f.Mode, func(w *bufio.Writer, _ uint32) error { return f.Write(w, serial) })
}

// place renames the staged files to their names and removes obsolete ones.
func (w *wholeFiles) place() error {
	for _, f := range w.staged {
		if err := os.MkdirAll(filepath.Dir(f.to), 0o755); err != nil {
			return err
		}
		if err := os.Rename(f.from, f.to); err != nil {
			return err
		}
	}
	for _, path := range w.obsolete {
		if err := removeFile(filepath.Join(w.dir, path)); err != nil {
			return err
		}
	}
	if w.record.from == "" {
		return nil
	}
	return os.Rename(w.record.from, w.record.to)
}

// writeFile writes a file that a function fills, replacing what is there.
func writeFile(path string, mode fs.FileMode, fill func(*bufio.Writer, uint32) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w, 0); err != nil {
		return err
	}
	return w.Flush()
}

// equalFiles reports whether two files have the same content.
func equalFiles(a, b string) bool {
	x, _, err := files.Open(a)
	if err != nil {
		return false
	}
	defer x.Close()
	y, _, err := files.Open(b)
	if err != nil {
		return false
	}
	defer y.Close()
	const size = 64 << 10
	xb, yb := make([]byte, size), make([]byte, size)
	for {
		n, xerr := io.ReadFull(x, xb)
		m, yerr := io.ReadFull(y, yb)
		if !bytes.Equal(xb[:n], yb[:m]) {
			return false
		}
		if xerr != nil || yerr != nil {
			return ended(xerr) && ended(yerr)
		}
	}
}

func ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
