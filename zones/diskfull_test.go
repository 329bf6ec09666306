package zones

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"nullspf/internal/peers"
)

// TestDiskFull builds on a file system that has no room for the change and
// checks that nothing of it was done.
func TestDiskFull(t *testing.T) {
	dir := peers.Mount(t, "mount -t tmpfs -o size=512k tmpfs DIR")
	set := readSet(t, "a.example\nb.example\n")
	build(t, set, dir, Options{})
	manifest, zone := readFile(t, dir, "manifest"), readFile(t, dir, "zones", "a.example.zone")

	var list strings.Builder
	list.WriteString("a.example\nb.example\n")
	for i := range 400 {
		list.WriteString("d" + strings.Repeat("x", i%50+1) + string(rune('a'+i/50)) + ".example\n")
	}
	large := readSet(t, list.String())
	large.Groups[0].TXT = []string{"changed"}
	plan, err := NewPlan(context.Background(), large, dir, Options{Scheme: DateSerial, Now: day("2026-11-21")})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Write(context.Background(), nil, Hash{}); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "nothing has changed") {
		t.Fatalf("got %v, want that the disk is full and nothing has changed", err)
	}
	if readFile(t, dir, "manifest") != manifest || readFile(t, dir, "zones", "a.example.zone") != zone {
		t.Error("the output has changed")
	}
	wantChanges(t, build(t, set, dir, Options{}), nil)
}
