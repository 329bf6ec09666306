package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Damage is a damaged piece of a wal file, the error of what is missing for it.
type Damage struct {
	Path          string
	Offset, Bytes int64
	// First and Last are the numbers of the events in it. At the end of a file
	// there may have been fewer, or none.
	First, Last uint64
}

// Events is how many are lost, at most.
func (d *Damage) Events() uint64 { return d.Last + 1 - d.First }

// Error names file and range.
func (d *Damage) Error() string {
	text := fmt.Sprintf("%s: damaged: bytes %d to %d", d.Path, d.Offset, d.Offset+d.Bytes-1)
	if d.Events() > 0 {
		text += fmt.Sprintf(", with the events %s", Gap{First: d.First, Last: d.Last})
	}
	return text
}

// Damages are pieces of files.
type Damages []*Damage

// Error names all, a line each.
func (d Damages) Error() string {
	lines := make([]string, len(d))
	for i := range d {
		lines[i] = d[i].Error()
	}
	return strings.Join(lines, "\n")
}

func (d Damages) err() error {
	if len(d) == 0 {
		return nil
	}
	return d
}

// errDamaged is wrapped by the errors about a file whose content is not what it
// was when it was written. Errors of the disk do not wrap it.
var errDamaged = errors.New("damaged")

// contentError tells damage from an error of the disk.
func contentError(err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}
