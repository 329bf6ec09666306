package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Build compiles commands of this module, "nullspf" and "nullspfd", into a
// directory. The current directory must be one of this module. They are linked
// once and kept in the user's cache for all packages that test them.
func Build(ctx context.Context, dir string, commands ...string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	cache = filepath.Join(cache, "nullspf", "build")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	defer lock.Close() // and unlock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("peers: locking %s: %w", lock.Name(), err)
	}
	argv := []string{"build", "-o", cache + "/"}
	for _, command := range commands {
		argv = append(argv, "nullspf/cmd/"+command)
	}
	if out, err := exec.CommandContext(ctx, "go", argv...).CombinedOutput(); err != nil {
		return fmt.Errorf("peers: cannot build %v: %w\n%s", commands, err, out)
	}
	for _, command := range commands {
		if err := copyProgram(filepath.Join(dir, command), filepath.Join(cache, command)); err != nil {
			return fmt.Errorf("peers: %w", err)
		}
	}
	return nil
}

// copyProgram copies a program in pieces, as packages are unpacked: Linux keeps what was
// written at once in large pages and maps them whole, 2 MB at a time, and the program
// would take more memory than an installed one.
func copyProgram(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 32<<10))
	return errors.Join(err, out.Close())
}

// BuildNullspfd builds nullspfd and returns the path of the program.
func BuildNullspfd(ctx context.Context, dir string) (program string, err error) {
	return filepath.Join(dir, "nullspfd"), Build(ctx, dir, "nullspfd")
}
