package secondary

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"nullspf/internal/files"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// store keeps the zones of a directory, a file each. Files are replaced as a whole.
// They are not synchronised one by one: what power loss tears is recognised and
// transferred again.
type store struct {
	dir string
	// dirty: files were written since the last sync.
	dirty atomic.Bool
	// buffers are for files on their way, *[]byte.
	buffers sync.Pool
	// next numbers temporary files.
	next atomic.Uint64
}

const (
	storeSuffix = ".zone"
	storeTemp   = ".new-"
	// maxStoredName is the longest name of a file without suffix that is made of
	// the zone's name alone; file systems take 255 bytes.
	maxStoredName = 200
	// maxStored is the size of the largest file that is read.
	maxStored = 1<<32 - 1
)

// openStore makes the directory.
func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, storeTemp+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return &store{dir: dir}, nil
}

// storedName returns the name of a zone's file. Letters of host names stand as
// they are, other bytes as %XX; the end of a long name is replaced by a digest.
func storedName(name wire.Name) string {
	if name == wire.Root {
		return "@" + storeSuffix
	}
	var b []byte
	for i := 0; name[i] != 0; {
		size := int(name[i])
		if i > 0 {
			b = append(b, '.')
		}
		for _, c := range []byte(name[i+1 : i+1+size]) {
			if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
				b = append(b, c)
			} else {
				b = append(b, '%')
				b = hex.AppendEncode(b, []byte{c})
			}
		}
		i += 1 + size
	}
	if len(b) > maxStoredName {
		digest := sha256.Sum256([]byte(name))
		b = append(b[:maxStoredName/2], '~')
		b = hex.AppendEncode(b, digest[:])
	}
	return string(b) + storeSuffix
}

func (s *store) path(name wire.Name) string { return filepath.Join(s.dir, storedName(name)) }

// save writes or replaces the file of a zone.
func (s *store) save(z *zonestore.Zone, refreshed time.Time) (err error) {
	buffer, _ := s.buffers.Get().(*[]byte)
	if buffer == nil {
		buffer = new([]byte)
	}
	defer s.buffers.Put(buffer)
	*buffer = appendStored((*buffer)[:0], z)
	s.dirty.Store(true)
	// Where there is no file yet, a torn one is no loss.
	path := s.path(z.Name())
	err = writeNew(path, *buffer, refreshed)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	temp := filepath.Join(s.dir, fmt.Sprintf("%s%d", storeTemp, s.next.Add(1)))
	if err := writeNew(temp, *buffer, refreshed); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// writeNew writes a file that is not there yet.
func writeNew(path string, b []byte, at time.Time) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Chtimes(path, time.Time{}, at)
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}

// touch notes a successful refresh that has not changed the zone.
func (s *store) touch(name wire.Name, refreshed time.Time) error {
	s.dirty.Store(true)
	return os.Chtimes(s.path(name), time.Time{}, refreshed)
}

// remove removes the file of a zone; that there is none is no error.
func (s *store) remove(name wire.Name) error {
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// load returns a zone and when it was refreshed; nil without an error when there
// is no file.
func (s *store) load(name wire.Name) (*zonestore.Zone, time.Time, error) {
	f, err := os.Open(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	} else if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxStored {
		return nil, time.Time{}, fmt.Errorf("%s: %w: no regular file below 4 GiB", f.Name(), errStored)
	}
	file := make([]byte, info.Size())
	if _, err := f.ReadAt(file, 0); err != nil {
		return nil, time.Time{}, err
	}
	z, err := readStored(file, name)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return z, info.ModTime(), nil
}

// sync writes what was saved since the last time to the disk.
func (s *store) sync() error {
	if !s.dirty.Swap(false) {
		return nil
	}
	return files.SyncFS(s.dir)
}
