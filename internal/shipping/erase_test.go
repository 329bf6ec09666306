package shipping

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nullspf/internal/clickhouse"
)

// TestErase runs the statements of docs/privacy.md: afterwards the table has neither the
// address nor the mailbox, and as many events as before.
func TestErase(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/privacy.md has no statements")
	}
	_, db := database(t)
	dir := filepath.Join(t.TempDir(), "var")
	const name = "ns1.example.net"
	list := events(rand.New(rand.NewPCG(4, 2)), name, 300, begin)
	for i, e := range list {
		if i%3 == 0 && e.SenderLocal != "" {
			e.SenderLocal, e.SenderDomain = "j.doe", "example.net"
		}
	}
	seal(t, dir, name, list)
	if _, err := Ship(t.Context(), db, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	count := func(where string) (n uint64) {
		err := db.Query(t.Context(), "SELECT count() FROM "+where, func(r *clickhouse.Reader) error { n = r.Uint64(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const address, mailbox = "events WHERE client_ip = '203.0.113.7' OR client_hex LIKE '%cb007107'", "events WHERE sender_local = 'j.doe'"
	if count(address) == 0 || count(mailbox) == 0 {
		t.Fatal("there is nothing to erase")
	}
	for sql := range strings.SplitSeq(strings.ReplaceAll(string(block[1]), "nullspf.events", "events"), ";\n") {
		if strings.TrimSpace(sql) == "" {
			continue
		}
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for count("system.mutations WHERE NOT is_done AND database = "+clickhouse.Quote(db.Name)) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the statements do not end")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if a, m, all := count(address), count(mailbox), count("events"); a != 0 || m != 0 || all != 300 {
		t.Errorf("%d events have the address, %d the mailbox, of %d", a, m, all)
	}
}
