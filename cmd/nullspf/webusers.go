package main

import (
	"context"
	"os"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/config"
	"nullspf/internal/keypair"
	"nullspf/internal/web"
)

// userFile is a configuration whose users may change while pages are served.
type userFile struct {
	path string
	// info is that of the file as it was read last, or tried to; nil when there was none.
	info os.FileInfo
}

func newUserFile(path string) *userFile {
	f := &userFile{path: path}
	f.info, _ = os.Stat(path)
	return f
}

// changed reports whether the file is another one than when it was asked last.
func (f *userFile) changed() bool {
	before := f.info
	f.info, _ = os.Stat(f.path)
	if before == nil || f.info == nil {
		return before != f.info
	}
	return !os.SameFile(before, f.info) || before.Size() != f.info.Size() || !before.ModTime().Equal(f.info.ModTime())
}

// watch gives the pages the users of the file whenever it has changed, until ctx ends. Those
// before stay when the file cannot be used.
func (f *userFile) watch(ctx context.Context, set func([]web.User) (changed bool, err error), log zerolog.Logger) {
	tick := time.NewTicker(keypair.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !f.changed() {
			continue
		}
		conf, err := config.Load(f.path)
		changed := false
		if err == nil {
			changed, err = set(conf.Web.Users)
		}
		switch {
		case err != nil:
			log.Error().Err(err).Msg("the users cannot be read again; those before are used")
		case changed:
			log.Info().Int("users", len(conf.Web.Users)).Msg("the users were read again")
		}
	}
}
