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
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/internal/files"
)

// ErrUnderWay says that an output directory is being written, or that a run that
// wrote it was killed.
var ErrUnderWay = errors.New("the directory is being written, or a run of `nullspf zones` was interrupted; run it again")

// ParkedOutput is an output directory, as a nameserver reads it that answers for
// the published zones from memory.
type ParkedOutput struct {
	Templates []ParkedTemplate
	// Zones is their number.
	Zones int

	// Catalog is the name of the catalog zone, "" when there is none,
	// CatalogSerial its serial number, CatalogHead its records besides those of
	// the members.
	Catalog       string
	CatalogSerial uint32
	CatalogHead   []dns.RR

	manifest *os.File
	parked   *parked
}

// OpenParked opens an output directory. The error wraps [ErrUnderWay] when its
// files do not belong together. The caller calls Close.
func OpenParked(dir string) (output *ParkedOutput, err error) {
	path := filepath.Join(dir, parkedFile)
	file, _, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file; run `nullspf zones` first", path)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := &ParkedOutput{}
	if f.parked, err = readParked(file, path); err != nil {
		return nil, err
	}
	f.Templates = f.parked.templates
	if f.manifest, _, err = files.Open(filepath.Join(dir, manifestFile)); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	var lines lineCounter
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(sum, &lines), f.manifest); err != nil {
		return nil, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.parked.manifest {
		return nil, fmt.Errorf("%s: %w", dir, ErrUnderWay)
	}
	f.Zones = int(lines)
	return f, f.readCatalog(filepath.Join(dir, CatalogFile))
}

// Close closes the directory.
func (f *ParkedOutput) Close() error { return f.manifest.Close() }

type lineCounter int

func (c *lineCounter) Write(b []byte) (int, error) {
	*c += lineCounter(bytes.Count(b, []byte{'\n'}))
	return len(b), nil
}

// CatalogFile is the path of the catalog zone under the output directory.
const CatalogFile = "catalog.zone"

// CatalogMembers begins the line of the catalog zone behind which its members
// stand.
const CatalogMembers = "$ORIGIN zones."

// readCatalog reads the name and the serial number at the head of the catalog
// zone.
func (f *ParkedOutput) readCatalog(path string) error {
	file, _, err := files.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && !ended(err) {
		return err
	}
	text, _, whole := strings.Cut(string(head[:n]), "\n"+CatalogMembers)
	_, after, _ := strings.Cut(text, "$ORIGIN ")
	name, _, _ := strings.Cut(after, ".\n")
	serial, _, _, ok := findSerial([]byte(text))
	rrs, err := parseZone(strings.NewReader(text+"\n"), name, path)
	if err != nil || !ok || !whole {
		return fmt.Errorf("%s: not a catalog zone of nullspf; run `nullspf zones` again", path)
	}
	f.Catalog, f.CatalogSerial, f.CatalogHead = name, serial, rrs
	return nil
}

// Each calls a function for every zone, in byte order of their names, until it
// fails. name, in lower case without final dot, is valid until it returns.
func (f *ParkedOutput) Each(zone func(name []byte, v ParkedVariant, serial uint32) error) error {
	if _, err := f.manifest.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := bufio.NewReaderSize(f.manifest, 1<<20)
	special := f.parked.zones
	for n := 1; ; n++ {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("manifest:%d: %w", n, err)
		}
		name, rest, _ := bytes.Cut(line, []byte{'\t'})
		group, rest, _ := bytes.Cut(rest, []byte{'\t'})
		text, _, ok := bytes.Cut(rest, []byte{'\t'})
		serial, numeric := parseSerial(text)
		v, known := f.parked.groups[string(group)]
		if !ok || !numeric || !known || !dnsname.IsLDH(name) {
			return fmt.Errorf("manifest:%d: not a line of a manifest: %q", n, shorten(string(line)))
		}
		if len(special) > 0 && special[0].name == string(name) {
			v, special = special[0].variant, special[1:]
		}
		if err := zone(name, v, serial); err != nil {
			return fmt.Errorf("manifest:%d: %w", n, err)
		}
	}
}

func parseSerial(text []byte) (serial uint32, ok bool) {
	var n uint64
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		if n = 10*n + uint64(c); n > 1<<32-1 {
			return 0, false
		}
	}
	return uint32(n), len(text) > 0
}
