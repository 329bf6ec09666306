// Package unsealed is nullspfd as benchmarks measure it: with a journal that is not
// sealed meanwhile.
package unsealed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/corefile"
	"nullspf/internal/nameserver"
)

// Serve is nullspfd with the configuration in a file, but for a journal whose files grow
// so large that none is sealed while it is measured. It returns after SIGTERM.
func Serve(conf string) error {
	c, err := corefile.Load(conf)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	s, err := nameserver.Start(c, nameserver.Options{
		Workers: nameserver.ClaimProcessors(),
		Logger:  zerolog.New(os.Stderr),
		OpenJournal: func(j *nameserver.Journal, workers int, log zerolog.Logger) (nameserver.Recorder, error) {
			settings := nameserver.JournalSettings(j, workers, log)
			settings.SegmentSize, settings.SegmentAge = 1<<30, time.Hour
			return nameserver.OpenJournalWith(settings)
		},
	})
	if err != nil {
		return err
	}
	<-signals
	return s.Stop()
}

// Stored asks a nullspfd for the events that it stored, and fails when some were lost.
func Stored(client *http.Client, health netip.AddrPort) (uint64, error) {
	r, err := client.Get("http://" + health.String() + "/health")
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err
	}
	var h nameserver.Health
	if err := json.Unmarshal(body, &h); err != nil {
		return 0, fmt.Errorf("health: %w", err)
	}
	lost := uint64(0)
	for _, n := range h.Lost {
		lost += n
	}
	if lost > 0 || h.Status != "ok" {
		return 0, fmt.Errorf("events were lost: %s", body)
	}
	return h.Stored, nil
}
