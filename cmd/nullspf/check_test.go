package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckFindsStaleJournals puts a journal of BIND next to a newer zone file.
func TestCheckFindsStaleJournals(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795176000") // 2026-11-20
	dir := t.TempDir()
	for name, text := range map[string]string{
		"list.txt":     "brand.example\n",
		"nullspf.yaml": "nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\ngroups: {generic: {list: list.txt}}\nservers: [bind]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(command string) (string, error) {
		var out bytes.Buffer
		root := rootCommand()
		root.SetArgs([]string{command, "-c", filepath.Join(dir, "nullspf.yaml")})
		root.SetOut(&out)
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	if out, err := run("zones"); err != nil {
		t.Fatal(err, out)
	}
	journal := filepath.Join(dir, "build", "zones", "brand.example.zone.jnl")
	if err := os.WriteFile(journal, []byte(";BIND LOG V9.2\n\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x02"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := run("check")
	if want := journal + " covers the serial numbers 1 to 2, the zone file has 2026112000"; err == nil || !strings.Contains(out, want) {
		t.Errorf("check: %v\n%s\nwant %q", err, out, want)
	}
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	if out, err := run("check"); err != nil {
		t.Error(err, out)
	}
}
