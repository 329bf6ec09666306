package nameserver

import (
	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// ringMemory bounds the memory of all rings together, unless there are very
// many workers; a ring has at most maxRing and at least minRing bytes.
const (
	ringMemory = 128 << 20
	maxRing    = 8 << 20
	minRing    = 1 << 20
)

// openJournal opens the journal that a configuration describes.
func openJournal(c *Journal, workers int, log zerolog.Logger) (Recorder, error) {
	return OpenJournalWith(JournalSettings(c, workers, log))
}

// JournalSettings returns the settings of the journal that a configuration
// describes.
func JournalSettings(c *Journal, workers int, log zerolog.Logger) journal.Settings {
	s := journal.Settings{
		Dir:       c.Dir,
		Server:    c.Server,
		MaxSize:   c.MaxSize,
		Retain:    c.Retain,
		RetainRaw: c.RetainRaw,
		Workers:   workers,
		RingBytes: min(maxRing, max(minRing, ringMemory/workers)),
		Logger:    log,
	}
	if c.Strict {
		s.Sync = journal.Strict
	}
	return s
}

// OpenJournalWith opens a journal as a recorder.
func OpenJournalWith(s journal.Settings) (Recorder, error) {
	j, err := journal.Open(s)
	if err != nil {
		return nil, err
	}
	return &journalRecorder{j, s.Sync == journal.Strict}, nil
}

// journalRecorder is a journal as a recorder.
type journalRecorder struct {
	journal *journal.Journal
	strict  bool
}

func (r *journalRecorder) Zone(name string) (uint16, error) { return r.journal.AddZone(name) }

func (r *journalRecorder) SetLayouts(zone string, layouts []spftrack.Layout) {
	r.journal.SetLayouts(zone, layouts)
}

func (r *journalRecorder) SetLimits(l journal.Limits) { r.journal.SetLimits(l) }

func (r *journalRecorder) Worker(i int) eventWriter {
	if r.strict {
		return strictWorker{r.journal.Worker(i)}
	}
	return r.journal.Worker(i)
}

func (r *journalRecorder) Shared() eventWriter { return sharedWriter{r.journal} }

func (r *journalRecorder) Stats() recorderStats {
	stats := r.journal.Stats()
	out := recorderStats{
		Stored: stats.Stored, Lost: make(map[string]uint64),
		DamagedEvents: stats.Damaged, DamagedSegments: stats.DamagedSegments, Panics: stats.Panics,
	}
	for _, reason := range journal.Reasons {
		out.Lost[reason.String()] = stats.Lost[reason]
	}
	return out
}

func (r *journalRecorder) Health() string {
	if err := r.journal.Health(); err != nil {
		return err.Error()
	}
	return ""
}

func (r *journalRecorder) Close() error { return r.journal.Close() }

// strictWorker waits at the end of each batch until its events are on disk.
type strictWorker struct{ *journal.Worker }

// Commit implements [eventWriter]. When the disk fails the journal counts it,
// and answers go on.
func (w strictWorker) Commit() { _ = w.Flush() }

// sharedWriter commits each event by itself.
type sharedWriter struct{ *journal.Journal }

// Commit implements [eventWriter].
func (w sharedWriter) Commit() {}
