// Package keypair reads TLS certificates from files that may change while they are used.
package keypair

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// CheckEvery is how often the files of a certificate are looked at.
const CheckEvery = time.Second

// Pair is a certificate with its key, in files that may change. When they do,
// it is read again with the next handshake.
type Pair struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	// stamps are those of the files when they were read, or tried to; checked is when
	// they were looked at.
	stamps  [2]stamp
	checked time.Time
	err     error
}

// stamp tells a file from a later one of the same name.
type stamp struct {
	modified time.Time
	size     int64
}

// Load reads a certificate, with those of its issuers, and its key; both
// are PEM. The error names the file.
func Load(cert, key string) (*Pair, error) {
	p := &Pair{cert: cert, key: key, checked: time.Now(), stamps: [2]stamp{stampOf(cert), stampOf(key)}}
	var err error
	if p.loaded, err = p.load(); err != nil {
		return nil, err
	}
	return p, nil
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

func (p *Pair) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with the key %s: %w", p.cert, p.key, err)
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
	stamps := [2]stamp{stampOf(p.cert), stampOf(p.key)}
	if stamps == p.stamps {
		return p.loaded, nil
	}
	p.stamps = stamps
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
