package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"
	"time"
)

// verify compares the file with MANIFEST before anything of it is decoded: size,
// sum, and then whether its metadata is such as nullspfd writes. Of files that
// were found good it remembers that, as long as the process lives and they do not
// change.
func (s *SegmentFile) verify() error {
	if s.verified {
		return nil
	}
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	id := identify(info, s.SHA256)
	if !goodFiles.has(id) {
		if err := s.compare(info.Size()); err != nil {
			return fmt.Errorf("%s: %w", s.f.Name(), err)
		}
		if settled(info) {
			goodFiles.add(id)
		}
	}
	s.verified = true
	return nil
}

// compare reads the whole file. The error does not name it.
func (s *SegmentFile) compare(size int64) error {
	if err := s.compareSize(size); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(s.f, 0, size)); err != nil {
		return err
	}
	if hex.EncodeToString(hash.Sum(nil)) != s.SHA256 {
		return fmt.Errorf("%w: its SHA-256 sum is not that of MANIFEST; restore it from a copy of the directory, the disk may be failing", errDamaged)
	}
	return s.compareMetadata(s.f)
}

func (s *SegmentFile) compareSize(size int64) error {
	if size != s.Bytes {
		return fmt.Errorf("%w: it has %d bytes, MANIFEST says %d; copy the directory again, or restore the file", errDamaged, size, s.Bytes)
	}
	return nil
}

// compareMetadata reads, from the file, what the footer refers to.
func (s *SegmentFile) compareMetadata(r io.ReaderAt) error {
	f, err := readFooter(r, s.Bytes)
	if err == nil && uint64(f.rows) != s.Rows {
		err = refuse("it has %d events, MANIFEST says %d", f.rows, s.Rows)
	}
	return err
}

// compareFooter compares what can be compared without reading the whole file.
func (s *SegmentFile) compareFooter(r io.ReaderAt) error {
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	if err := s.compareSize(info.Size()); err != nil {
		return err
	}
	return s.compareMetadata(r)
}

// settled reports whether every further change of a file will show: one that was written a moment
// ago may be written again without another time of change.
func settled(info fs.FileInfo) bool { return time.Since(info.ModTime()) > 2*time.Second }

// fileID is a file as it is at present, and the sum it must have.
type fileID struct {
	device, inode uint64
	size          int64
	// written is when the content changed, as whoever copied the file may have set it; changed is
	// when the file changed, 0 where the system does not tell.
	written, changed int64
	sum              string
}

func identify(info fs.FileInfo, sum string) fileID {
	id := fileID{size: info.Size(), written: info.ModTime().UnixNano(), sum: sum}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.device, id.inode, id.changed = uint64(st.Dev), uint64(st.Ino), changeTime(st)
	}
	return id
}

// fileSet remembers up to maxGood files.
type fileSet struct {
	mu    sync.Mutex
	files map[fileID]bool
}

const maxGood = 1 << 16

var goodFiles fileSet

func (g *fileSet) has(id fileID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.files[id]
}

func (g *fileSet) add(id fileID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.files == nil || len(g.files) >= maxGood {
		g.files = make(map[fileID]bool)
	}
	g.files[id] = true
}
