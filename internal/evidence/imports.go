package evidence

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"nullspf/internal/files"
)

// importsName is the file of a journal directory that tells what was imported into it,
// and that it is no nullspfd's.
const importsName = "imports.json"

// importsVersion is the version of the file that this program writes.
const importsVersion = 1

// headSize is how much of a content tells quickly that another one is different.
const headSize = 4096

// imports is the file.
type imports struct {
	Version int              `json:"version"`
	Files   []importedFile   `json:"files"`
	Reports []importedReport `json:"reports,omitempty"`
}

// importedReport is a DMARC report that was imported.
type importedReport struct {
	reportKey
	// Events have the numbers from First to Last, none when Last is less.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// reportKey tells reports apart.
type reportKey struct {
	Reporter string `json:"reporter"`
	ID       string `json:"id"`
	Domain   string `json:"domain"`
	// Begin and End are in seconds since 1970-01-01 UTC.
	Begin int64 `json:"begin"`
	End   int64 `json:"end"`
}

// importedFile is a content that was imported. A longer one that begins with it is the
// same file, which has grown since.
type importedFile struct {
	// Name is for people: the file may have another one, or be compressed, the next time.
	Name   string `json:"name"`
	Format Format `json:"format"`
	// Bytes is how much was read, decompressed, up to the end of the last whole record;
	// Head is the SHA-256 of the first headSize of them, or of all, Sum that of all.
	Bytes int64  `json:"bytes"`
	Head  string `json:"head_sha256"`
	Sum   string `json:"sha256"`
	// Events have the numbers from First to Last, none when Last is less.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// readImports reads the file of a directory whose next event has a number. What was
// noted by an import that did not come to its end is left out.
func readImports(dir string, next uint64) (*imports, error) {
	path := filepath.Join(dir, importsName)
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list imports
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if list.Version != importsVersion {
		return nil, fmt.Errorf("%s: version %d was written by another version of nullspf; this one reads version %d",
			path, list.Version, importsVersion)
	}
	list.Files = slices.DeleteFunc(list.Files, func(f importedFile) bool { return f.Last >= next })
	list.Reports = slices.DeleteFunc(list.Reports, func(r importedReport) bool { return r.Last >= next })
	return &list, nil
}

func (l *imports) write(dir string) error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(filepath.Join(dir, importsName), append(text, '\n'), files.Attributes{Mode: 0o640})
}

// add notes a file, unless nothing was in it.
func (l *imports) add(f importedFile) {
	if f.Bytes > 0 {
		l.Files = append(l.Files, f)
	}
}

// known returns how many bytes of a content were imported already: the most that one
// of the list, or of the files before it, has in common with it from the beginning.
func (l *imports) known(path string, format Format) (bytes int64, err error) {
	var candidates []importedFile
	for _, f := range l.Files {
		if f.Format == format {
			candidates = append(candidates, f)
		}
	}
	if len(candidates) == 0 {
		return 0, nil
	}
	slices.SortFunc(candidates, func(a, b importedFile) int { return cmp.Compare(a.Bytes, b.Bytes) })
	c, err := openContent(path)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	sum := sha256.New()
	var read int64
	head := ""
	for _, f := range candidates {
		if head != "" && f.Bytes >= headSize && f.Head != head {
			continue
		}
		for _, stop := range []int64{min(headSize, f.Bytes), f.Bytes} {
			if stop <= read {
				continue
			}
			n, err := io.CopyN(sum, c, stop-read)
			read += n
			if err != nil {
				return bytes, nil // it ends there; damage is told when it is imported
			}
			if stop == headSize && read == headSize && head == "" {
				if head = hex.EncodeToString(sum.Sum(nil)); f.Head != head {
					break
				}
			}
		}
		if read == f.Bytes && hex.EncodeToString(sum.Sum(nil)) == f.Sum {
			bytes = f.Bytes
		}
	}
	return bytes, nil
}
