package corefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
)

// journal DIR { ... }
func (r *reader) setupJournal(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("journal needs one folder")
		}
		j := &nameserver.Journal{Dir: args[0]}
		j.Server, _ = os.Hostname() // "" is a name too
		if err := checkFolder(j.Dir); err != nil {
			return c.Errf("journal: %v", err)
		}
		if err := options(c, func(key string, args []string) error { return setJournal(j, key, args) }); err != nil {
			return err
		}
		return setGlobal(r, c, "journal", &r.config.Journal, j)
	})
}

// checkFolder fails when a path can be no folder. A missing folder is made
// later.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", path)
	}
	return nil
}

func setJournal(j *nameserver.Journal, key string, args []string) (err error) {
	if len(args) != 1 {
		return fmt.Errorf("%s needs one value", key)
	}
	switch key {
	case "sync":
		switch args[0] {
		case "strict":
			j.Strict = true
		case "interval":
		default:
			return fmt.Errorf("sync: %q: use interval or strict", args[0])
		}
	case "server":
		j.Server = args[0]
	case "max_size":
		j.MaxSize, err = value.ParseSize(args[0])
	case "retain":
		j.Retain, err = value.ParseDuration(args[0])
	default:
		return fmt.Errorf("unknown setting %q of journal; there are sync, server, max_size and retain", key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}
