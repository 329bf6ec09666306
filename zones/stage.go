package zones

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// zoneStage are the zone files that wait in the stage.
type zoneStage struct {
	// dir is the stage.
	dir string
	// fresh is set when the output directory has no directory of zone files yet: then
	// that of the stage, where they have their names, becomes it with one rename.
	fresh bool
	files []stagedZone
}

// stagedZone is a zone file that waits in the stage: the index of its entry
// and the worker into whose directory it was written. With a directory a worker, the
// workers do not wait for each other's directory locks.
type stagedZone struct {
	index  int32
	worker int32
}

// path returns the path of a file with the name of its zone.
func (s *zoneStage) path(z stagedZone, name string) string {
	if s.fresh {
		return s.dir + "/" + zonesDir + "/" + ZoneFile(name)
	}
	return s.dir + "/" + strconv.Itoa(int(z.worker)) + "/" + strconv.Itoa(int(z.index))
}

// stageZones writes the zone files that must be replaced.
func (p *Plan) stageZones(ctx context.Context, dir string) (*zoneStage, error) {
	s := &zoneStage{dir: dir}
	if _, err := os.Lstat(filepath.Join(p.dir, zonesDir)); errors.Is(err, fs.ErrNotExist) {
		s.fresh = true
		if err := os.Mkdir(filepath.Join(dir, zonesDir), 0o755); err != nil {
			return nil, err
		}
	}
	for i, replace := range p.replaced {
		if replace {
			s.files = append(s.files, stagedZone{index: int32(i)})
		}
	}
	var workers atomic.Int32
	err := eachChunk(ctx, len(s.files), p.opts.Progress, func() func(i int) error {
		w := workers.Add(1)
		templates := newTemplates(p.set)
		var text []byte
		var dirErr error
		if !s.fresh {
			dirErr = os.Mkdir(filepath.Join(dir, strconv.Itoa(int(w))), 0o755)
		}
		return func(i int) error {
			if dirErr != nil {
				return dirErr
			}
			z := &s.files[i]
			z.worker = w
			e := &p.set.Entries[z.index]
			text, _, _ = templates.of(e).Append(text[:0], e.Name, p.serials[z.index])
			return writeNew(s.path(*z, e.Name), text)
		}
	})
	return s, err
}

// placeZones renames the staged zone files to their names. It does not stop
// half-way for a context: what was begun is completed.
func (p *Plan) placeZones(s *zoneStage) error {
	dir := filepath.Join(p.dir, zonesDir)
	if s.fresh {
		return os.Rename(filepath.Join(s.dir, zonesDir), dir)
	}
	return eachChunk(context.Background(), len(s.files), nil, func() func(i int) error {
		return func(i int) error {
			name := p.set.Entries[s.files[i].index].Name
			from, to := s.path(s.files[i], name), dir+"/"+ZoneFile(name)
			if err := unix.Rename(from, to); err != nil {
				return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
			}
			return nil
		}
	})
}

// writeNew writes a file that does not exist, with plain system calls: package
// os spends twice as many on each of a million files.
func writeNew(path string, text []byte) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	for len(text) > 0 {
		n, err := unix.Write(fd, text)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			_ = unix.Close(fd)
			return &os.PathError{Op: "write", Path: path, Err: err}
		}
		text = text[n:]
	}
	if err := unix.Close(fd); err != nil {
		return &os.PathError{Op: "close", Path: path, Err: err}
	}
	return nil
}
