package main

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// programMemory is how much memory the pages of files take, in kB.
func programMemory(t *testing.T) (kb int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssFile:"))
	if _, err := fmt.Sscan(string(rest), &kb); err != nil {
		t.Fatal(err)
	}
	return kb
}

func TestForgetStart(t *testing.T) {
	before := programMemory(t)
	forgetStart()
	if after := programMemory(t); after > before-1000 {
		t.Errorf("pages of the program take %d kB, before %d", after, before)
	}
}
