package forgerylog

import (
	"context"

	"nullspf/internal/journal"
)

// FolderReport is what [Engine.Check] found in a folder.
type FolderReport struct {
	Dir string
	*journal.Report
}

// Check implements [Engine].
func (f *Folders) Check(ctx context.Context) ([]FolderReport, error) {
	if err := f.distinct(); err != nil {
		return nil, err
	}
	var list []FolderReport
	for _, dir := range f.dirs {
		report, err := journal.CheckDir(ctx, dir)
		if err != nil {
			return list, err
		}
		list = append(list, FolderReport{dir, report})
	}
	return list, nil
}
