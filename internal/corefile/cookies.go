package corefile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"nullspf/internal/nameserver"
)

// cookies off, or cookies FILE...
func readCookies(s *statements) error {
	return s.once(func(args []string) error {
		var k nameserver.Cookies
		switch {
		case len(args) == 0:
			return errors.New(`write files of secrets, or "off"`)
		case len(args) == 1 && args[0] == "off":
			k.Off = true
		}
		for _, path := range args {
			if k.Off {
				break
			}
			secrets, err := readSecrets(path)
			if err != nil {
				return err
			}
			k.Secrets = append(k.Secrets, secrets...)
		}
		if len(k.Secrets) > nameserver.MaxSecrets {
			return fmt.Errorf("%d secrets; %d are allowed", len(k.Secrets), nameserver.MaxSecrets)
		}
		return setGlobal(s, &s.file.config.Cookies, k)
	})
}

// readSecrets reads a file of server secrets: 32 hexadecimal digits a line,
// comments after "#". The error names file and line and never what stands
// there.
func readSecrets(path string) ([]nameserver.Secret, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var secrets []nameserver.Secret
	for i, line := range bytes.Split(data, []byte("\n")) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		var s nameserver.Secret
		if n, err := hex.Decode(s[:], line[:min(len(line), 2*len(s))]); err != nil || n != len(s) || len(line) != 2*len(s) {
			return nil, fmt.Errorf("%s:%d: a secret is 32 hexadecimal digits, such as \"openssl rand -hex 16\" writes", path, i+1)
		}
		secrets = append(secrets, s)
	}
	if len(secrets) == 0 {
		return nil, fmt.Errorf("%s holds no secret; write 32 hexadecimal digits", path)
	}
	return secrets, nil
}
