package zones

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/files"
	"nullspf/internal/serial"
)

// handKeptFile holds what the zones that people keep by hand were after the last
// run: name, serial number, whether it is behind, a hash of the zone's own
// records, then path and hash of each file of the directory include that the zone
// includes. Fields are separated by tabs:
//
//	shop.example  2026112000  current  5c0e…  include/generic.inc  90d2…
const (
	handKeptFile    = ".handkept"
	handKeptCurrent = "current"
	handKeptBehind  = "behind"
)

// includeDir is the directory of the files for zones that people keep by hand.
const includeDir = "include"

// HandKeptState is a zone kept by hand beside the files of the output directory
// that it includes, as a run makes them.
type HandKeptState struct {
	Zone *HandKept
	// Err says why the zone file cannot be read; the rest is then empty.
	Err error
	// Serial is the serial number in the zone file.
	Serial uint32
	// Includes are the paths of the included files, relative to the output
	// directory.
	Includes []string
	// Behind is set when one of these files changes, or has changed, and the serial
	// number has not risen since: secondaries do not fetch the zone then.
	Behind bool

	record handKeptRecord
}

// handKeptRecord is a line of handKeptFile.
type handKeptRecord struct {
	serial   uint32
	behind   bool
	own      Hash
	includes []includedFile // sorted by path
}

type includedFile struct {
	path string
	hash Hash
}

// HandKept looks at the zones of the set that are kept by hand. made are the
// files made from the whole set. A zone that cannot be read is no error.
func (p *Plan) HandKept(made []File) ([]HandKeptState, error) {
	if len(p.set.HandKept) == 0 {
		return nil, nil
	}
	before, err := loadHandKept(p.dir)
	if err != nil {
		return nil, err
	}
	r := handKeptReader{dir: p.dir, made: made, hashes: make(map[string]Hash)}
	states := make([]HandKeptState, len(p.set.HandKept))
	for i := range p.set.HandKept {
		z := &p.set.HandKept[i]
		states[i].Zone = z
		now, err := r.look(z)
		if err != nil {
			states[i].Err = err
			continue
		}
		last, known := before[string(z.Name)]
		if !known {
			// What a server may have read.
			last = handKeptRecord{serial: now.serial, own: now.own, includes: r.onDisk(now.includes)}
		}
		states[i].Serial = now.serial
		now.settle(last)
		states[i].Behind, states[i].record = now.behind, now
		for _, f := range now.includes {
			states[i].Includes = append(states[i].Includes, f.path)
		}
	}
	return states, nil
}

// settle decides whether a zone is behind. last is its record of the last run.
func (r *handKeptRecord) settle(last handKeptRecord) {
	raised := serial.Greater(r.serial, last.serial)
	switch {
	case r.includesOthers(last):
		// A serial number that rose together with records of the zone may have been
		// transferred with the old files; one that rose alone is meant for the new ones.
		r.behind = !raised || r.own != last.own
	case last.behind:
		r.behind = !raised
	}
	if r.behind && !raised {
		r.serial = last.serial
	}
}

// includesOthers reports whether a file that a zone included before has other
// records now.
func (r *handKeptRecord) includesOthers(last handKeptRecord) bool {
	return slices.ContainsFunc(r.includes, func(f includedFile) bool {
		return slices.ContainsFunc(last.includes, func(l includedFile) bool { return l.path == f.path && l.hash != f.hash })
	})
}

// ready reports whether a server may read the zone.
func (s *HandKeptState) ready() bool { return s.Err == nil && !s.Behind && len(s.Includes) > 0 }

// sum stands for the records of the included files.
func (s *HandKeptState) sum() string {
	h := sha256.New()
	for _, f := range s.record.includes {
		fmt.Fprintf(h, "%s\t%x\n", f.path, f.hash)
	}
	sum := shortHash(h)
	return hex.EncodeToString(sum[:])
}

func shortHash(h hash.Hash) Hash { return Hash(h.Sum(nil)[:len(Hash{})]) }

// handKeptReader reads zone files without the files of the output directory that
// they include.
type handKeptReader struct {
	dir    string
	made   []File
	hashes map[string]Hash // by path, of made
}

func (r *handKeptReader) look(z *HandKept) (handKeptRecord, error) {
	var now handKeptRecord
	included := make(map[string]*File)
	h := &handKeptFiles{leaveOut: func(path string) bool {
		f := r.madeAt(path)
		if f != nil {
			included[f.Path] = f
		}
		return f != nil
	}}
	own := sha256.New()
	err := z.read(h, func(rr dns.RR) {
		if soa, ok := rr.(*dns.SOA); ok {
			now.serial = soa.Serial
			without := *soa
			without.Serial = 0
			rr = &without
		}
		fmt.Fprintln(own, rr)
	})
	if err != nil {
		return now, err
	}
	now.own = shortHash(own)
	for _, f := range included {
		hash, known := r.hashes[f.Path]
		if !known {
			hash, err = hashRecords(func(w io.Writer) error {
				b := bufio.NewWriterSize(w, 64<<10)
				return errors.Join(f.Write(b, 0), b.Flush())
			})
			if err != nil {
				return now, err
			}
			r.hashes[f.Path] = hash
		}
		now.includes = append(now.includes, includedFile{f.Path, hash})
	}
	slices.SortFunc(now.includes, func(a, b includedFile) int { return cmp.Compare(a.path, b.path) })
	return now, nil
}

// madeAt returns the file for zones kept by hand that a path names, or nil. The
// output directory may have several names.
func (r *handKeptReader) madeAt(name string) *File {
	name = filepath.Clean(name)
	if filepath.Base(filepath.Dir(name)) != includeDir || !sameDir(filepath.Dir(filepath.Dir(name)), r.dir) {
		return nil
	}
	i := slices.IndexFunc(r.made, func(f File) bool { return f.Path == path.Join(includeDir, filepath.Base(name)) })
	if i < 0 {
		return nil
	}
	return &r.made[i]
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// onDisk returns the files as they are before the run, without those that are
// missing.
func (r *handKeptReader) onDisk(made []includedFile) []includedFile {
	var found []includedFile
	for _, f := range made {
		file, _, err := files.Open(filepath.Join(r.dir, filepath.FromSlash(f.path)))
		if err != nil {
			continue
		}
		hash, err := hashRecords(func(w io.Writer) error {
			_, err := io.Copy(w, file)
			return err
		})
		file.Close()
		if err == nil {
			found = append(found, includedFile{f.path, hash})
		}
	}
	return found
}

// hashRecords hashes a text, which a function writes, without lines of comments.
func hashRecords(write func(io.Writer) error) (Hash, error) {
	h := sha256.New()
	l := &lines{seed: maphash.MakeSeed(), each: func(line []byte, _ uint64) {
		if line[0] != ';' {
			h.Write(line)
			h.Write(newline)
		}
	}}
	if err := write(l); err != nil {
		return Hash{}, err
	}
	l.end()
	return shortHash(h), nil
}

func loadHandKept(dir string) (map[string]handKeptRecord, error) {
	name := filepath.Join(dir, handKeptFile)
	text, err := files.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the serial numbers of zones kept by hand: %w", err)
	}
	records := make(map[string]handKeptRecord)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		zone, r, ok := parseHandKept(strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
		if !ok {
			return nil, fmt.Errorf("%s:%d: not a line of this version of nullspf: %q; remove the file when all zones kept by hand are served as they are", name, n, shorten(line))
		}
		records[zone] = r
	}
	return records, nil
}

func parseHandKept(fields []string) (zone string, r handKeptRecord, ok bool) {
	if len(fields) < 4 || len(fields)%2 != 0 || fields[2] != handKeptCurrent && fields[2] != handKeptBehind {
		return "", r, false
	}
	n, err := strconv.ParseUint(fields[1], 10, 32)
	r.serial, r.behind = uint32(n), fields[2] == handKeptBehind
	ok = err == nil && parseHash(fields[3], &r.own)
	for i := 4; i < len(fields); i += 2 {
		f := includedFile{path: fields[i]}
		ok = ok && parseHash(fields[i+1], &f.hash)
		r.includes = append(r.includes, f)
	}
	return fields[0], r, ok
}

func parseHash(text string, h *Hash) bool {
	if len(text) != hex.EncodedLen(len(h)) {
		return false
	}
	_, err := hex.Decode(h[:], []byte(text))
	return err == nil
}

// SaveHandKept notes the states after a run, for the next one. The zones that
// could not be read keep what was noted.
func (p *Plan) SaveHandKept(states []HandKeptState) error {
	name := filepath.Join(p.dir, handKeptFile)
	if len(states) == 0 {
		return removeFile(name)
	}
	before, err := loadHandKept(p.dir)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	for _, s := range states {
		r := s.record
		if s.Err != nil {
			var known bool
			if r, known = before[string(s.Zone.Name)]; !known {
				continue
			}
		}
		word := handKeptCurrent
		if r.behind {
			word = handKeptBehind
		}
		fmt.Fprintf(&text, "%s\t%d\t%s\t%x", s.Zone.Name, r.serial, word, r.own)
		for _, f := range r.includes {
			fmt.Fprintf(&text, "\t%s\t%x", f.path, f.hash)
		}
		text.WriteByte('\n')
	}
	if old, err := files.ReadFile(name); err == nil && bytes.Equal(old, text.Bytes()) {
		return nil
	}
	return files.Replace(name, text.Bytes(), files.Attributes{Mode: 0o644})
}
