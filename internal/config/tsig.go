package config

import (
	"encoding/base64"

	"nullspf/internal/tsigkey"
	"nullspf/named"
	"nullspf/zones"
)

// secretFile is where the secret of the TSIG key is.
type secretFile struct {
	path string
	// algorithm is that of the configuration, "" for that of the file.
	algorithm string
	// line is that of the key tsig.secret_file.
	line int
}

// buildTSIG sets the name of the key. Its secret is left to [Config.ReadSecret].
func (l *loader) buildTSIG(dir string, c *Config, r rawTSIG) {
	if r.Name == "" && r.SecretFile == "" {
		return
	}
	name := l.zoneName("tsig.name", r.Name)
	if r.SecretFile == "" {
		l.fail("tsig.secret_file", "name the file with the secret, such as tsig.key")
	}
	if r.Algorithm != "" {
		if _, err := tsigkey.ParseAlgorithm(r.Algorithm); err != nil {
			l.fail("tsig.algorithm", "%v", err)
		}
	}
	c.Named.TSIG = &named.TSIG{Name: name}
	c.secret = secretFile{path(dir, r.SecretFile), r.Algorithm, l.line("tsig.secret_file")}
}

// ofSecret tells the faults that come from a secret which is not read yet.
func ofSecret(fault *zones.KeyError) bool {
	return fault.Key == "tsig.secret_file" || fault.Key == "tsig.algorithm"
}

// ReadSecret reads the secret of the TSIG key, which server configurations need
// and nothing else does. The error is an *[Error].
func (c *Config) ReadSecret() error {
	if c.Named.TSIG == nil {
		return nil
	}
	k, err := tsigkey.ReadFile(c.secret.path, string(c.Named.TSIG.Name), c.secret.algorithm)
	if err != nil {
		return &Error{File: c.File, Line: c.secret.line, Key: "tsig.secret_file", Reason: err.Error()}
	}
	c.Named.TSIG.Algorithm, c.Named.TSIG.Secret = k.Algorithm, base64.StdEncoding.EncodeToString(k.Secret)
	return nil
}
