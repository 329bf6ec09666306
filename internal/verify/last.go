package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"nullspf/internal/files"
)

// Last is the result of the last run about all zones, as it is kept in the output directory
// for those who look later.
type Last struct {
	// Time is when the run ended.
	Time time.Time `json:"time"`
	Summary
	// Deviations is the number of deviations, Findings are the first [MaxLast] of them.
	Deviations int       `json:"deviations"`
	Findings   []Finding `json:"findings"`
}

const (
	// MaxLast bounds the deviations that are kept.
	MaxLast = 1000
	// lastFile is the file in the output directory.
	lastFile = "verified.json"
)

// WriteLast keeps the result of a run in an output directory. A directory that may not be
// written is left alone: to verify takes no right to write.
func WriteLast(dir string, at time.Time, sum Summary, findings []Finding) error {
	l := Last{Time: at.UTC().Truncate(time.Second), Summary: sum, Deviations: sum.Findings, Findings: sorted(findings)}
	l.Findings = l.Findings[:min(len(l.Findings), MaxLast)]
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	err = files.Replace(filepath.Join(dir, lastFile), append(text, '\n'), files.Attributes{Mode: 0o644})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}

// ReadLast returns the result that was kept, an error that is [fs.ErrNotExist] when there
// is none.
func ReadLast(dir string) (*Last, error) {
	path := filepath.Join(dir, lastFile)
	text, err := files.ReadFile(path)
	if err != nil {
		return nil, err
	}
	l := new(Last)
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s: %w; run nullspf verify again", path, err)
	}
	return l, nil
}
