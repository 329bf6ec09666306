// Package keypair reads TLS certificates from files that may change while they are used.
package keypair

import (
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"nullspf/internal/files"
)

// CheckEvery is how often the files of a certificate are looked at.
const CheckEvery = time.Second

// Pair is a certificate with its key, in files that may change. When they do,
// it is read again with the next handshake.
type Pair struct {
	mu        sync.Mutex
	cert, key files.Watched
	loaded    *tls.Certificate
	// checked is when the files were looked at.
	checked time.Time
	err     error
}

// Load reads a certificate, with those of its issuers, and its key; both
// are PEM. The error names the file.
func Load(cert, key string) (*Pair, error) {
	p := &Pair{cert: files.Watched{Path: cert}, key: files.Watched{Path: key}, checked: time.Now()}
	p.changed()
	var err error
	if p.loaded, err = p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

// changed looks at both files.
func (p *Pair) changed() bool {
	_, cert, _ := p.cert.Changed()
	_, key, _ := p.key.Changed()
	return cert || key
}

func (p *Pair) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.cert.Path, p.key.Path)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with the key %s: %w", p.cert.Path, p.key.Path, err)
	}
	return &pair, nil
}

// Get returns the certificate. It reads the files anew when they have changed; an error
// of that comes once, beside the certificate before.
func (p *Pair) Get() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.checked) < CheckEvery {
		return p.loaded, nil
	}
	p.checked = now
	if !p.changed() {
		return p.loaded, nil
	}
	var next *tls.Certificate
	if next, p.err = p.load(); p.err == nil {
		p.loaded = next
	}
	return p.loaded, p.err
}

// Problem is why the certificate could not be read again, nil when it could.
func (p *Pair) Problem() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
