package peers

import (
	"os"
	"path/filepath"
)

// makemapVariable is the environment variable that names the makemap of
// sendmail, where it is not installed.
const makemapVariable = "NULLSPF_MAKEMAP"

// Makemap returns the path of makemap: the one that the variable names, an
// installed one, or that of internal/mtas/unpack.
func Makemap(t TB) string {
	t.Helper()
	if path := os.Getenv(makemapVariable); path != "" {
		return path
	}
	if path, err := Program("makemap"); err == nil {
		return path
	}
	if cache, err := os.UserCacheDir(); err == nil {
		path := filepath.Join(cache, "nullspf/sendmail/bin/makemap")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	Lack(t, "no makemap in PATH; get one with internal/mtas/unpack, or name it in %s", makemapVariable)
	return ""
}
