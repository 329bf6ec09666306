package shipping

import (
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"nullspf/internal/clickhouse"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
)

// TestNewer ships to ClickHouse 26.7, which is chdb behind HTTP, and asks it.
func TestNewer(t *testing.T) {
	t.Parallel()
	peers.Require(t, "node")
	const readers = "../forgerylog/testdata/readers"
	if _, err := os.Stat(readers + "/node_modules"); err != nil {
		peers.Lack(t, "chdb is not installed; run scripts/install-peers")
	}
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := peers.Command("node", readers+"/serve.mjs", strconv.Itoa(int(at.Port())), t.TempDir())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(60 * time.Second)
	for {
		r, err := http.Get("http://" + at.String() + "/ping")
		if err == nil {
			_ = r.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	db := table(t, at, "nullspf")
	version := ""
	err = db.Query(t.Context(), "SELECT version()", func(r *clickhouse.Reader) error { version = r.Text(); return nil })
	if err != nil || version < "26" {
		t.Fatalf("version %s, %v", version, err)
	}
	dir := filepath.Join(t.TempDir(), "var")
	r := rand.New(rand.NewPCG(9, 9))
	const name = "ns1.example.net"
	for i, want := range []uint64{2400, 300, 0} { // until after midnight, in the next month
		if want > 0 {
			seal(t, dir, name, events(r, name, int(want), begin.Add(time.Duration(i)*3*time.Hour)))
		}
		if got, err := Ship(t.Context(), db, dir, Options{Wait: noWait}); err != nil || got.Sent != want {
			t.Fatalf("%+v, %v", got, err)
		}
		same(t, db, dir)
	}
	compareAnswers(t, forgerylog.OpenStore(db, nil), forgerylog.Open([]string{dir}, journal.ReadOptions{}), 12)
}
