package journal

import (
	"io"
	"os"
	"sync"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/tally"
)

// Parsed keeps what was parsed of segments and summaries: footers and contents, and which blocks
// were found good. A page asks a hundred segments for a few bytes each, several times in a row, and
// parsing them would take longer than the answer. What is kept is that of a file as
// [identify] knows it; a file that changes is parsed anew. Files are open only as long as a view
// needs them. The zero Parsed is empty; several views may use it at once.
type Parsed struct {
	segments  shelf[*parquet.File]
	summaries shelf[*tally.Summary]
}

// maxShelf bounds what a shelf keeps, in bytes: the footers of some 200 segments of a million
// events, and more summaries than that.
const maxShelf = 64 << 20

// shelf keeps what was parsed of files.
type shelf[T any] struct {
	mu    sync.Mutex
	files map[fileID]*shelved[T]
	// size is about how many bytes they take.
	size int64
}

// shelved is what was parsed of a file, and that file, as it was parsed from. The mutex of the shelf
// guards users and file; file is open as long as there are users.
type shelved[T any] struct {
	shelf *shelf[T]
	id    fileID
	users int
	file  *os.File

	parsing sync.Mutex
	parsed  bool
	content T
	size    int64
}

// use finds the file at a path on the shelf, or puts it there; nil: it cannot be opened, or was
// written a moment ago. sum is that of the segment. The user must leave it.
func (s *shelf[T]) use(path, sum string) *shelved[T] {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !settled(info) {
		_ = f.Close()
		return nil
	}
	id := identify(info, sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.files[id]
	if k == nil {
		k = &shelved[T]{shelf: s, id: id}
		if s.files == nil {
			s.files = make(map[fileID]*shelved[T])
		}
		s.files[id] = k
	}
	if k.users == 0 {
		k.file = f
	} else {
		_ = f.Close()
	}
	k.users++
	return k
}

// leave ends a use.
func (k *shelved[T]) leave() {
	s := k.shelf
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.users--; k.users > 0 {
		return
	}
	_ = k.file.Close()
	k.file = nil
	if !k.parsed {
		delete(s.files, k.id)
	}
}

// ReadAt reads the file, for a user.
func (k *shelved[T]) ReadAt(b []byte, offset int64) (int, error) { return k.file.ReadAt(b, offset) }

// get returns what parse makes of the file, which takes about size bytes; what failed is parsed again.
func (k *shelved[T]) get(parse func(io.ReaderAt) (content T, size int64, err error)) (T, error) {
	k.parsing.Lock()
	defer k.parsing.Unlock()
	if k.parsed {
		return k.content, nil
	}
	content, size, err := parse(k)
	if err != nil {
		return content, err
	}
	k.shelf.keep(k, content, size)
	return content, nil
}

// keep keeps what was parsed. Any others make room: whoever asks about more than there is room for
// asks in order, so the one that was used least lately would be the next that is needed.
func (s *shelf[T]) keep(k *shelved[T], content T, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.content, k.size, k.parsed = content, size, true
	s.size += size
	for id, other := range s.files {
		if s.size <= maxShelf {
			return
		}
		if other != k && other.parsed {
			s.size -= other.size
			delete(s.files, id)
		}
	}
}
