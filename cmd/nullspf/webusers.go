package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/config"
	"nullspf/internal/files"
	"nullspf/internal/keypair"
	"nullspf/internal/web"
)

// userFile is a configuration whose users may change while pages are served.
type userFile struct{ files.Watched }

// newUserFile returns the file as it is now.
func newUserFile(path string) *userFile {
	f := &userFile{files.Watched{Path: path}}
	_, _, _ = f.Changed() // what is wrong with it has been said
	return f
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
		if _, changed, _ := f.Changed(); !changed {
			continue
		}
		conf, err := config.Load(f.Path)
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
