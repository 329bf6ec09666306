package forgerylog

import (
	"context"

	"nullspf/internal/journal"
)

// JournalReport is what [Engine.Check] found in a directory.
type JournalReport struct {
	Dir string
	*journal.Report
}

// Check implements [Engine].
func (f *Journals) Check(ctx context.Context) ([]JournalReport, error) {
	dirs, err := f.distinct()
	if err != nil {
		return nil, err
	}
	var list []JournalReport
	for _, dir := range dirs {
		report, err := journal.CheckDir(ctx, dir)
		if err != nil {
			return list, err
		}
		list = append(list, JournalReport{dir, report})
	}
	return list, nil
}
