package web

import (
	"bufio"
	"context"
	"io"
	stdlog "log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// TestChromium looks at every page as people do: on a desktop, a phone and a large screen,
// in light and dark, with a keyboard, without script, and as axe-core judges it. The log
// holds what strangers send to harm.
func TestChromium(t *testing.T) {
	t.Parallel()
	peers.Require(t, "chromium", "node")
	if _, err := os.Stat(filepath.Join("testdata", "browser", "node_modules")); err != nil {
		peers.Lack(t, "the packages of testdata/browser are not installed: run scripts/install-peers")
	}
	s := everything(t)
	server := httptest.NewServer(pages(t, s))
	defer server.Close()
	w := pages(t, attacked(t))
	checkAttacked(t, w)
	hostile := httptest.NewServer(w)
	defer hostile.Close()
	secure := httptest.NewUnstartedServer(pages(t, withLogin(t, s)))
	secure.Config.ErrorLog = stdlog.New(io.Discard, "", 0) // its certificate is unknown
	secure.StartTLS()
	defer secure.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	args := []string{filepath.Join("testdata", "browser", "check.mjs"), server.URL, hostile.URL}
	if shots := os.Getenv("SCREENSHOTS"); shots != "" {
		args = append(args, shots)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Env = append(os.Environ(), "ACCESS="+secure.URL, "PASSWORD="+password)
	out, err := cmd.CombinedOutput()
	done := false
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		switch line := s.Text(); line {
		case `"done"`:
			done = true
		default:
			t.Error(line)
		}
	}
	if err != nil || !done {
		t.Errorf("%v, done: %v", err, done)
	}
}
