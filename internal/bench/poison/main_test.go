package main

import (
	"strings"
	"testing"
)

// TestTables runs all attacks at a small size, and holds them to what docs/evidence.md says.
func TestTables(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	problems, err := tables(&out, size{victims: 10_000, days: 7, forgers: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
	if t.Failed() {
		t.Log("\n" + out.String())
	}
}

// TestListed is a test of the model.
func TestListed(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"d7.example": "d7.example", "www.d7.example": "d7.example", "d50.example": "", "d07.example": "", "example": "", "": "", "d7.example.org": ""} {
		if got, _ := listed(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
