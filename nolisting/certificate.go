package nolisting

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// checkEvery is how often the files of a certificate are looked at.
const checkEvery = time.Second

// Certificate is a certificate with its key, in files that may change. When they do,
// it is read again with the next handshake.
type Certificate struct {
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

// LoadCertificate reads a certificate, with those of its issuers, and its key; both
// are PEM. The error names the file.
func LoadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, checked: time.Now(), stamps: [2]stamp{stampOf(cert), stampOf(key)}}
	var err error
	if c.loaded, err = c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

func (c *Certificate) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with the key %s: %w", c.cert, c.key, err)
	}
	return &pair, nil
}

// get returns the certificate. It reads the files anew when they have changed; an error
// of that comes once, beside the certificate before.
func (c *Certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < checkEvery {
		return c.loaded, nil
	}
	c.checked = now
	stamps := [2]stamp{stampOf(c.cert), stampOf(c.key)}
	if stamps == c.stamps {
		return c.loaded, nil
	}
	c.stamps = stamps
	var next *tls.Certificate
	if next, c.err = c.load(); c.err == nil {
		c.loaded = next
	}
	return c.loaded, c.err
}

// problem is why the certificate could not be read again, nil when it could.
func (c *Certificate) problem() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
