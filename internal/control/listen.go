package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"nullspf/internal/files"
)

// socketMode lets the user and the group of the daemon in.
const socketMode fs.FileMode = 0o660

// maxPath is the greatest length of the name of a socket, of which the kernel
// takes 107 bytes, less what a temporary name needs.
const maxPath = 107 - len(suffixNew)

// The names beside a socket.
const (
	suffixLock = ".lock"
	suffixNew  = ".new"
)

// Listener is a listening unix socket.
type Listener struct {
	net.Listener
	path string
	lock io.Closer
	made os.FileInfo
}

// CheckPath returns why a socket can never be at a path.
func CheckPath(path string) error {
	if path == "" {
		return errors.New("the path of the socket is empty")
	}
	if len(path) > maxPath {
		return fmt.Errorf("%s has %d bytes; the path of a socket may have %d", path, len(path), maxPath)
	}
	return nil
}

// Listen makes a socket, whose directory must exist. A socket of a process that
// has ended is replaced, one at which somebody answers is not. The lock beside
// it decides between two processes that start at once; it stays and means
// nothing without its process.
func Listen(path string) (_ *Listener, err error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	lock, err := files.Lock(path+suffixLock, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: its directory does not exist; make %s, with RuntimeDirectory= in a systemd unit", path, filepath.Dir(path))
	case errors.Is(err, files.ErrLocked):
		return nil, fmt.Errorf("%s belongs to another process that is running; give each its own", path)
	case err != nil:
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if err := checkStale(path); err != nil {
		return nil, err
	}
	// Under another name until the mode is right.
	temporary := path + suffixNew
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	undo := func(err error) error {
		return errors.Join(err, l.Close(), os.Remove(temporary))
	}
	if err := os.Chmod(temporary, socketMode); err != nil {
		return nil, undo(err)
	}
	made, err := os.Lstat(temporary)
	if err != nil {
		return nil, undo(err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return nil, undo(err)
	}
	return &Listener{Listener: l, path: path, lock: lock, made: made}, nil
}

// checkStale fails when a path is taken by anything but a socket at which
// nobody answers.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket; remove it, or choose another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("somebody answers at %s; give each process its own socket", path), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("who is at %s is not known: %w", path, err)
}

// Path returns the path of the socket.
func (l *Listener) Path() string { return l.path }

// Close closes the socket and removes it, unless something else has taken its
// place.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	if now, e := os.Lstat(l.path); e == nil && os.SameFile(now, l.made) {
		err = errors.Join(err, os.Remove(l.path))
	}
	return errors.Join(err, l.lock.Close())
}
