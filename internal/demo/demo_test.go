package main

import (
	"os"
	"path/filepath"
	"testing"

	"nullspf/internal/peers"
)

// TestDemo runs the demonstration: the program publishes the 900 and more
// example domains, BIND loads them all, and a secondary transfers them all
// with TSIG, as verify confirms; so do nullspfd and another as its secondary,
// which also follows a change; then pyspf checks forged messages by way of
// Unbound, and nullspfd records them; a browser takes a screenshot of the pages.
func TestDemo(t *testing.T) {
	peers.Require(t, "named", "rndc", "named-checkconf", "dig", "unbound", debianPython, browser)
	dir := t.TempDir()
	if err := peers.Build(t.Context(), dir, "nullspf", "nullspfd"); err != nil {
		t.Fatal(err)
	}
	d := &demo{nullspf: filepath.Join(dir, "nullspf"), nullspfd: filepath.Join(dir, "nullspfd"), examples: "../../examples", dir: filepath.Join(dir, "demo"), picture: filepath.Join(dir, "page.png")}
	if err := d.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(d.picture); err != nil || info.Size() < 20_000 {
		t.Errorf("the screenshot: %v", err)
	}
	if len(d.names) < 900 {
		t.Errorf("the example has %d domains, fewer than 900", len(d.names))
	}
}
