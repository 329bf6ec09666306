package peers

import (
	"context"
	"fmt"
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
		program, err := os.ReadFile(filepath.Join(cache, command))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, command), program, 0o755)
		}
		if err != nil {
			return fmt.Errorf("peers: %w", err)
		}
	}
	return nil
}

// BuildNullspfd builds nullspfd and returns the path of the program.
func BuildNullspfd(ctx context.Context, dir string) (program string, err error) {
	return filepath.Join(dir, "nullspfd"), Build(ctx, dir, "nullspfd")
}
