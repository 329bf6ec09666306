package mailmaps

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// databases are the suffixes of what postmap makes of a table.
var databases = []string{".db", ".lmdb", ".cdb"}

// Stale returns a line for each Postfix table below the output directory of which
// postmap has made a database that is older: Postfix goes by the database.
func Stale(output string) ([]string, error) {
	dir := filepath.Join(output, "mail/postfix")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("mailmaps: %w", err)
	}
	var stale []string
	for _, e := range entries {
		suffix := filepath.Ext(e.Name())
		if !slices.Contains(databases, suffix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		table := path[:len(path)-len(suffix)]
		source, err := os.Stat(table)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("mailmaps: %w", err)
		}
		if built, err := e.Info(); err == nil && built.ModTime().Before(source.ModTime()) {
			stale = append(stale, fmt.Sprintf("%s is older than %s: Postfix does not see the present domains; run postmap, or have after_write do it",
				path, filepath.Base(table)))
		}
	}
	return stale, nil
}
