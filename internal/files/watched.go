package files

import "os"

// Watched is a file that others replace or change. Its path stays the same.
type Watched struct {
	Path string
	// seen is what the last look found, nil when there was no file.
	seen os.FileInfo
}

// Changed looks at the file and reports whether it is another one than at the last look, or
// has another size or time of change. The first look finds that it has changed when it is
// there; one that went away has changed, too. The error is that of [os.Stat].
func (w *Watched) Changed() (info os.FileInfo, changed bool, err error) {
	before := w.seen
	if w.seen, err = os.Stat(w.Path); err != nil {
		w.seen = nil
		return nil, before != nil, err
	}
	changed = before == nil || !os.SameFile(before, w.seen) ||
		before.Size() != w.seen.Size() || !before.ModTime().Equal(w.seen.ModTime())
	return w.seen, changed, nil
}
