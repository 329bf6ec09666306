package nameserver

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/contain"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/files"
)

// listFile is a list on disk, which another program replaces as a whole, and its index in
// memory. A file that cannot be read, or is none, leaves the index as it is, until its
// entries expire.
type listFile struct {
	index atomic.Pointer[blocklist.Index] // nil until a list was read
	// fault is why the file is not used, nil when it is.
	fault atomic.Pointer[error]
	// list is what the index was made from; only look uses these.
	list *blocklist.List
	file files.Watched
}

// look reads the file when it is another one than before, and leaves out what has expired.
// It returns why the file cannot be used.
func (f *listFile) look(now time.Time) error {
	err := f.read(now)
	if x := f.index.Load(); x != nil && !x.Expires.IsZero() && !x.Expires.After(now) {
		f.index.Store(blocklist.NewIndex(f.list, now))
	}
	return err
}

func (f *listFile) read(now time.Time) error {
	info, changed, err := f.file.Changed()
	if err != nil {
		return f.failed(err)
	}
	if !changed {
		if fault := f.fault.Load(); fault != nil {
			return *fault
		}
		return nil
	}
	if info.Size() > maxList {
		return f.failed(fmt.Errorf("%s: the file has %d bytes; a block list may have %d", f.file.Path, info.Size(), maxList))
	}
	text, err := files.ReadFile(f.file.Path)
	if err != nil {
		return f.failed(err)
	}
	list, err := blocklist.ReadJSON(text)
	if err != nil {
		return f.failed(fmt.Errorf("%s: %w", f.file.Path, err))
	}
	f.list = list
	f.index.Store(blocklist.NewIndex(list, now))
	f.fault.Store(nil)
	return nil
}

func (f *listFile) failed(err error) error {
	f.fault.Store(&err)
	return err
}

// maxList bounds a file, in bytes: half a million entries.
const maxList = 256 << 20

// lookEvery is the time between two looks at the files.
const lookEvery = 5 * time.Second

// listFiles are those of a server, by path. What was read outlives configurations.
type listFiles struct {
	log     zerolog.Logger
	mu      sync.Mutex
	files   map[string]*listFile
	panics  atomic.Uint64
	stop    chan struct{}
	stopped sync.WaitGroup
}

// newListFiles returns files that are looked at until they are closed.
func newListFiles(log zerolog.Logger) *listFiles {
	l := &listFiles{log: log, files: make(map[string]*listFile), stop: make(chan struct{})}
	l.stopped.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.look()
			case <-l.stop:
				return
			}
		}
	})
	return l
}

func (l *listFiles) close() {
	close(l.stop)
	l.stopped.Wait()
}

// open returns the file at a path, which it reads when it is new. One that cannot be read
// yet may come later.
func (l *listFiles) open(path string) *listFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.files[path]
	if f == nil {
		f = &listFile{file: files.Watched{Path: path}}
		l.files[path] = f
		l.lookAt(f)
	}
	return f
}

// look looks at all files.
func (l *listFiles) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		l.lookAt(f)
	}
}

func (l *listFiles) lookAt(f *listFile) {
	before, fault := f.index.Load(), f.fault.Load()
	err := contain.Run(func() error { return f.look(time.Now()) })
	var panicked *contain.Panic
	switch after := f.index.Load(); {
	case errors.As(err, &panicked):
		l.panics.Add(1)
		l.log.Error().Err(err).Bytes("stack", panicked.Stack).Str("file", f.file.Path).Msg("a block list caused a panic; please report this as a bug")
	case err != nil && (fault == nil || (*fault).Error() != err.Error()):
		l.log.Error().Err(err).Bool("served", after != nil).Msg("a block list cannot be read; the one before stays until its entries expire")
	case after != before:
		l.log.Info().Str("file", f.file.Path).Int("entries", after.Len()).Msg("block list loaded")
	}
}

// problems says which files cannot be used.
func (l *listFiles) problems() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.files {
		if fault := f.fault.Load(); fault != nil {
			list = append(list, "block list: "+(*fault).Error())
		}
	}
	slices.Sort(list)
	return list
}

// unreadList is a file that nobody looks at.
func unreadList(path string) *listFile { return &listFile{file: files.Watched{Path: path}} }

// eachList calls yield with the block lists that are served, each zone once.
func (s *Server) eachList(yield func(zone string, list *blocklist.Index)) {
	for _, z := range (listZones{s.serving.Load().config, s.lists}).all() {
		if list := z.file.index.Load(); list != nil {
			yield(z.name.Text(), list)
		}
	}
}
