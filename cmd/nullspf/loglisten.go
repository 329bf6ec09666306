package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"nullspf/internal/evidence"
	"nullspf/internal/value"
)

// logListen imports what nameservers write to a socket.
func (a *app) logListen(c *cobra.Command, o *logImportFlags, i *evidence.Import) error {
	path, ok := strings.CutPrefix(o.listen, "unix:")
	switch {
	case !ok || path == "":
		return fmt.Errorf("--listen: not a socket: %q; write unix:PATH", o.listen)
	case i.Format != evidence.Dnstap:
		return fmt.Errorf("--listen: nameservers write %s to a socket; use --format %s", evidence.Dnstap, evidence.Dnstap)
	case o.every < time.Second || o.every > time.Hour:
		return errors.New("--every: use a duration from 1s to 1h")
	}
	listener, err := listenUnix(path)
	if err != nil {
		return err
	}
	defer listener.Close()
	l := &evidence.Listener{Import: *i, Every: o.every, Log: func(text string) { warn("%s", value.Visible(text)) }}
	err = l.Run(c.Context(), listener)
	if errors.Is(err, evidence.ErrNoServer) {
		err = fmt.Errorf("%w, with --server", err)
	}
	return err
}

// listenUnix makes a socket, which its user and group may write to. One that is left of a process
// that has ended is replaced.
func listenUnix(path string) (net.Listener, error) {
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("%s is no socket", path)
		}
		if conn, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("%s is in use", path), conn.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}
