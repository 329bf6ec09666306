package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// SocketError says why nobody could be asked at a socket, and what to do.
type SocketError struct {
	Socket string
	Reason string
	Err    error
}

func (e *SocketError) Error() string { return fmt.Sprintf("%s: %s", e.Socket, e.Reason) }

// Unwrap returns the error of the system.
func (e *SocketError) Unwrap() error { return e.Err }

// explain makes an error of a failed request.
func (c *Client) explain(err error) error {
	e := &SocketError{Socket: c.socket, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrNotExist):
		e.Reason = fmt.Sprintf(`no nullspfd answers here: there is no such socket. Start nullspfd with "control %s" in its Corefile, or name another socket with --socket`, c.socket)
	case errors.Is(err, syscall.ECONNREFUSED) && !isSocket(c.socket):
		e.Reason = "this is no socket; name that of the directive control with --socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = `no nullspfd answers here: it has ended without removing its socket. Start it, with "systemctl start nullspfd" for instance`
	case errors.Is(err, fs.ErrPermission):
		e.Reason = "permission denied" + admitted(c.socket)
	default:
		e.Reason = "nullspfd does not answer: " + err.Error()
	}
	return e
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err != nil || info.Mode().Type() == fs.ModeSocket
}

// admitted tells whom a socket lets in.
func admitted(socket string) string {
	path := socket
	info, err := os.Stat(path)
	if err != nil {
		path = filepath.Dir(socket)
		if info, err = os.Stat(path); err != nil {
			return "; ask as root or as the user of nullspfd"
		}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "; ask as root or as the user of nullspfd"
	}
	owner, group := strconv.FormatUint(uint64(stat.Uid), 10), strconv.FormatUint(uint64(stat.Gid), 10)
	if u, err := user.LookupId(owner); err == nil {
		owner = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("; %s lets in user %s and members of group %s", path, owner, group)
}
