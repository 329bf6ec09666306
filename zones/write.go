package zones

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"nullspf/internal/files"
)

// stageDir is the directory, inside of the output directory, where everything is
// written before it is put in place.
const stageDir = ".stage"

// Write makes the output directory what the plan says: changed zone files, then
// the files made from the whole set, then removed zone files, then the file of
// parked zones and the manifest. The caller has held the directory's lock since
// before the plan.
//
// Everything is first written to a directory of its own and synced to disk, so
// that an error until then, such as a full disk, leaves the output as it was.
// Then the files are renamed into place: killed at any point, each file is the
// old or the new one, whole, every zone that a configuration names has a file,
// and the next run completes the work.
//
// settings stands for everything besides the set on which files depend. When
// neither has changed since the last run, the files are not made again.
func (p *Plan) Write(ctx context.Context, made []File, settings Hash) (err error) {
	stage := filepath.Join(p.dir, stageDir)
	if err := os.RemoveAll(stage); err != nil {
		return fmt.Errorf("cannot remove the files of an interrupted run: %w", err)
	}
	whole, err := p.planFiles(made, settings)
	if err != nil {
		return err
	}
	if p.Empty() && !p.adopted.Load() && whole.current && p.hasParked() {
		return nil
	}
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(stage)) }()

	staged, err := p.stageZones(ctx, stage)
	if err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	if err := whole.stage(stage, p.opts); err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	manifest := filepath.Join(stage, manifestFile)
	if err := writeFile(manifest, 0o644, p.writeManifest); err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	sum, err := digestOf(manifest)
	if err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	parked := filepath.Join(stage, parkedFile)
	err = writeFile(parked, 0o644, func(w *bufio.Writer, _ uint32) error { return writeParked(w, p.set, sum) })
	if err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	retired := filepath.Join(stage, retiredFile)
	if err := writeFile(retired, 0o644, p.writeRetired); err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}
	if err := files.SyncFS(stage); err != nil {
		return fmt.Errorf("nothing has changed: %w", err)
	}

	if err := p.placeZones(staged); err != nil {
		return err
	}
	if err := whole.place(); err != nil {
		return err
	}
	if err := unix.Rename(retired, filepath.Join(p.dir, retiredFile)); err != nil {
		return err
	}
	for _, e := range p.removed {
		if err := removeFile(filepath.Join(p.dir, zonesDir, ZoneFile(e.name))); err != nil {
			return err
		}
	}
	for _, path := range p.strays {
		if err := removeFile(path); err != nil {
			return err
		}
	}
	if err := unix.Rename(parked, filepath.Join(p.dir, parkedFile)); err != nil {
		return err
	}
	return unix.Rename(manifest, filepath.Join(p.dir, manifestFile))
}

// hasParked reports whether the file of parked zones is there. It is written
// whenever the manifest is.
func (p *Plan) hasParked() bool {
	_, err := os.Lstat(filepath.Join(p.dir, parkedFile))
	return err == nil
}

// FilesCurrent reports whether the files made from the whole set are those of
// the last run.
func (p *Plan) FilesCurrent(files []File, settings Hash) (bool, error) {
	whole, err := p.planFiles(files, settings)
	if err != nil {
		return false, err
	}
	return whole.current && p.hasParked(), nil
}

func (p *Plan) writeManifest(w *bufio.Writer, _ uint32) error {
	return writeManifest(w, func(yield func(manifestEntry) bool) {
		for i := range p.set.Entries {
			e := &p.set.Entries[i]
			if !yield(manifestEntry{e.Name, p.set.Group(e).Name, p.serials[i], p.hashes[i]}) {
				return
			}
		}
	})
}

// removeFile removes a file that may be gone already.
func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
