package config

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path/filepath"

	"nullspf/zones"
)

// SetOutput replaces the output directory; a relative one is relative to the
// working directory.
func (c *Config) SetOutput(dir string) error {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c.Output = abs
	c.Named.Output = abs
	c.Mail.Dir = abs
	return nil
}

// ServerFingerprint stands for the settings of the server configurations.
func (c *Config) ServerFingerprint(version string) (zones.Hash, error) {
	text, err := json.Marshal(c.Named)
	if err != nil {
		return zones.Hash{}, err
	}
	sum := sha256.Sum256(append([]byte(version+"\n"), text...))
	return zones.Hash(sum[:len(zones.Hash{})]), nil
}

// Fingerprint stands for all settings on which output files depend besides the
// set, and for the version of the program that writes them.
func (c *Config) Fingerprint(version string) zones.Hash {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", version, c.Text)
	fmt.Fprintf(h, "%s %t\n", c.Output, c.Named.Relative)
	if c.Named.TSIG != nil {
		fmt.Fprintf(h, "%s\n", c.Named.TSIG.Secret)
	}
	return zones.Hash(h.Sum(nil)[:len(zones.Hash{})])
}
