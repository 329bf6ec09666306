package zones

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// stagedZone is a zone file that waits in the stage: the index of its entry
// and the worker into whose directory it was written. With a directory a worker, the
// workers do not wait for each other's directory locks.
type stagedZone struct {
	index  int32
	worker int32
}

func (z stagedZone) path(stage string) string {
	return stage + "/" + strconv.Itoa(int(z.worker)) + "/" + strconv.Itoa(int(z.index))
}

// stageZones writes the zone files that must be replaced.
func (p *Plan) stageZones(ctx context.Context, stage string) ([]stagedZone, error) {
	var staged []stagedZone
	for i, replace := range p.replaced {
		if replace {
			staged = append(staged, stagedZone{index: int32(i)})
		}
	}
	var workers atomic.Int32
	err := eachChunk(ctx, len(staged), p.opts.Progress, func() func(i int) error {
		w := workers.Add(1)
		templates := newTemplates(p.set)
		var text []byte
		dirErr := os.Mkdir(filepath.Join(stage, strconv.Itoa(int(w))), 0o755)
		return func(i int) error {
			if dirErr != nil {
				return dirErr
			}
			z := &staged[i]
			z.worker = w
			e := &p.set.Entries[z.index]
			text, _, _ = templates.of(e).Append(text[:0], e.Name, p.serials[z.index])
			return writeNew(z.path(stage), text)
		}
	})
	return staged, err
}

// placeZones renames the staged zone files to their names. It does not stop
// half-way for a context: what was begun is completed.
func (p *Plan) placeZones(stage string, staged []stagedZone) error {
	dir := filepath.Join(p.dir, zonesDir) + "/"
	return eachChunk(context.Background(), len(staged), nil, func() func(i int) error {
		return func(i int) error {
			from, to := staged[i].path(stage), dir+ZoneFile(p.set.Entries[staged[i].index].Name)
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
