package web

import (
	"net/http"
	"time"
)

// writePatience is how long a viewer may take to read what is sent.
const writePatience = 30 * time.Second

// bounded is a response that ends when the viewer does not read it, and counts what is
// sent.
type bounded struct {
	http.ResponseWriter
	control *http.ResponseController
	// patience is that for what is sent at once.
	patience time.Duration
	// until is when what is being sent has to have been read.
	until time.Time
	// bytes is how many were sent.
	bytes int64
}

// newBounded bounds a response, once.
func newBounded(rw http.ResponseWriter) *bounded {
	if b, ok := rw.(*bounded); ok {
		return b
	}
	return &bounded{ResponseWriter: rw, control: http.NewResponseController(rw), patience: writePatience}
}

// extend gives the viewer time for what follows.
func (b *bounded) extend() {
	if now := time.Now(); b.until.Sub(now) < b.patience-b.patience/30 {
		b.until = now.Add(b.patience)
		_ = b.control.SetWriteDeadline(b.until)
	}
}

// end gives the viewer time for what the server has held back.
func (b *bounded) end() {
	b.until = time.Time{}
	b.extend()
}

func (b *bounded) Write(p []byte) (int, error) {
	b.extend()
	n, err := b.ResponseWriter.Write(p)
	b.bytes += int64(n)
	return n, err
}

// FlushError implements what [http.ResponseController] asks for.
func (b *bounded) FlushError() error {
	b.extend()
	return b.control.Flush()
}

// Unwrap gives [http.ResponseController] the rest.
func (b *bounded) Unwrap() http.ResponseWriter { return b.ResponseWriter }
