package main

import (
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on the terminal, or nothing when standard error is none.
// Its methods may be called from several goroutines.
type progress struct {
	mu   sync.Mutex
	what string
	bar  *progressbar.ProgressBar
	on   bool
	// worth is how much is to be done for a bar to appear.
	worth int
	// last and total are those of the bar.
	last, total int
}

func newProgress(what string) *progress {
	return &progress{what: what, worth: 2000, on: term.IsTerminal(int(os.Stderr.Fd()))}
}

// set shows how much is done. The bar appears with the first call in which
// enough is to be done to be worth it.
func (p *progress) set(done, total int) {
	if !p.on || total < p.worth {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// Something else begins.
	if p.bar == nil || total != p.total || done < p.last/2 {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(p.what),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionShowCount(),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.last, p.total = done, total
	_ = p.bar.Set(done)
}

// done takes the bar away.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
