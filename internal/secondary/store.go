package secondary

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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
	// dates say by which clock the files are dated.
	dates dates

	mu sync.Mutex
	// later are the zones whose files a later version of this program has
	// written. They are neither replaced nor removed.
	later map[wire.Name]bool
}

const (
	storeSuffix = ".zone"
	storeTemp   = ".new-"
	// maxStoredName is the longest name of a file without suffix that is made of
	// the zone's name alone; file systems take 255 bytes.
	maxStoredName = 200
)

// openStore makes the directory, and removes what an earlier process has left
// there half.
func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &store{dir: dir, later: make(map[wire.Name]bool)}
	var left error
	err := s.each(func(file string) {
		if strings.HasPrefix(file, storeTemp) {
			left = errors.Join(left, os.Remove(filepath.Join(dir, file)))
		}
	})
	if err := errors.Join(err, left); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

// each calls a function with the name of each file in the directory.
func (s *store) each(file func(name string)) error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			file(name)
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// zones returns the names of the zones that have files, which may be damaged.
func (s *store) zones() (names []wire.Name, err error) {
	err = s.each(func(file string) {
		if !strings.HasSuffix(file, storeSuffix) {
			return
		}
		f, _, err := openStored(filepath.Join(s.dir, file))
		if err != nil {
			return
		}
		defer f.Close()
		var head [storeHeader + wire.MaxName]byte
		n, _ := f.ReadAt(head[:], 0)
		if name, err := storedZone(head[:n]); err == nil && storedName(name) == file {
			names = append(names, name)
		}
	})
	return names, err
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
	if err := s.writable(z.Name()); err != nil {
		return err
	}
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
	if err := s.writable(name); err != nil {
		return err
	}
	s.dirty.Store(true)
	return os.Chtimes(s.path(name), time.Time{}, refreshed)
}

// remove removes the file of a zone; that there is none is no error.
func (s *store) remove(name wire.Name) error {
	if err := s.writable(name); err != nil {
		return err
	}
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// openStored opens a file, which must be a regular one: opening a named pipe
// does not wait for its other end.
func openStored(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w: it is not a regular file", path, errStored)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// load returns a zone, whose records have at most so many bytes, and when it was
// refreshed; nil without an error when there is no file.
func (s *store) load(name wire.Name, most int64) (*zonestore.Zone, time.Time, error) {
	f, info, err := openStored(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, time.Time{}, nil
	} else if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	// The header comes first: what a damaged or foreign file says of its size is
	// not what memory is taken for.
	var header [storeHeader]byte
	n, _ := f.ReadAt(header[:], 0)
	err = checkHeader(header[:n], info.Size())
	if err == nil && info.Size() > int64(storeHeader+wire.MaxName)+most {
		err = fmt.Errorf("it has %d bytes, more than max_size allows", info.Size())
	}
	if err != nil && !errors.Is(err, errLater) {
		return nil, time.Time{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	file := make([]byte, min(info.Size(), int64(storeHeader+wire.MaxName)+most))
	if _, err := f.ReadAt(file, 0); err != nil {
		return nil, time.Time{}, err
	}
	z, err := readStored(file, name)
	if errors.Is(err, errLater) {
		s.mu.Lock()
		s.later[name] = true
		s.mu.Unlock()
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return z, info.ModTime(), nil
}

// writable returns an error when the file of a zone must be left alone.
func (s *store) writable(name wire.Name) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.later[name] {
		return fmt.Errorf("%s: %w", s.path(name), errLater)
	}
	return nil
}

// sync writes what was saved since the last time to the disk.
func (s *store) sync() error {
	if !s.dirty.Swap(false) {
		return nil
	}
	return files.SyncFS(s.dir)
}
