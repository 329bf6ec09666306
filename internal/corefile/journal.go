package corefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"nullspf/internal/journal"
	"nullspf/internal/nameserver"
	"nullspf/internal/value"
)

// journal DIR { ... }
func readJournal(s *statements) error {
	return s.once(func(args []string) error {
		if len(args) != 1 {
			return errors.New("write one directory")
		}
		j := &nameserver.Journal{Dir: args[0]}
		j.Server, _ = os.Hostname() // "" is a name too
		if err := checkDirectory(j.Dir); err != nil {
			return err
		}
		if err := journalSettings.read(s, j); err != nil {
			return err
		}
		return setGlobal(s, &s.file.config.Journal, j)
	})
}

var journalSettings = settings[*nameserver.Journal]{
	{name: "sync", set: one(setSync)},
	{name: "server", set: one(func(j *nameserver.Journal, name string) error { j.Server = name; return nil })},
	{name: "max_size", set: parsed(value.ParseSize, func(j *nameserver.Journal) *int64 { return &j.MaxSize })},
	{name: "retain", set: parsed(value.ParseDuration, func(j *nameserver.Journal) *time.Duration { return &j.Retain })},
	{name: "retain_raw", set: parsed(parseRetainRaw, func(j *nameserver.Journal) *time.Duration { return &j.RetainRaw })},
}

func parseRetainRaw(text string) (time.Duration, error) {
	d, err := value.ParseDuration(text)
	if err == nil {
		err = journal.CheckRetainRaw(d)
	}
	return d, err
}

func setSync(j *nameserver.Journal, mode string) error {
	switch mode {
	case "strict":
		j.Strict = true
	case "interval":
	default:
		return fmt.Errorf("unknown mode %q; write interval or strict", mode)
	}
	return nil
}

// checkDirectory fails when a path can be no directory. A missing one is made
// later.
func checkDirectory(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	}
	return nil
}
