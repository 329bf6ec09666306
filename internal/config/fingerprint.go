package config

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"

	"nullspf/zones"
)

// SetOutput replaces the output folder; a relative one is relative to the
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
