package verify

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestLast: what was kept is read again, and nothing else is.
func TestLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadLast(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	at := time.Date(2026, 11, 20, 12, 0, 0, 5, time.UTC)
	sum := Summary{Zones: 3, Checked: 2, Findings: MaxLast + 7, Servers: []ServerSummary{{Address: "192.0.2.1:53", Checked: 2}}}
	findings := make([]Finding, MaxLast+7)
	for i := range findings {
		findings[i] = Finding{Zone: "shop.example", Server: "192.0.2.1:53", Check: "serial", Want: "5", Have: "4", Reason: "old"}
	}
	if err := WriteLast(dir, at, sum, findings); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLast(dir)
	if err != nil || !l.Time.Equal(at.Truncate(time.Second)) || l.Zones != 3 || l.Deviations != MaxLast+7 || len(l.Findings) != MaxLast || !reflect.DeepEqual(l.Findings[0], findings[0]) {
		t.Errorf("%v %+v", err, l)
	}
	if err := os.WriteFile(filepath.Join(dir, lastFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLast(dir); err == nil || !strings.Contains(err.Error(), "verify again") {
		t.Error(err)
	}
	if err := WriteLast(filepath.Join(dir, "absent"), at, sum, nil); err == nil {
		t.Error("kept nowhere")
	}
}
