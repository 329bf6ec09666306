package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// forgetStart takes the pages of the program that only its start has used out of its
// memory: all of them, those that are needed come back from the page cache, some 64 kB at a
// time. Otherwise they stay until the machine has no other memory left. A failure costs
// nothing.
func forgetStart() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range bytes.Lines(maps) {
		var from, to uintptr
		var mode, offset, device, inode, path string
		// The path is the rest of the line, but one with a space is as good as none.
		if _, err := fmt.Sscanf(string(line), "%x-%x %s %s %s %s %s", &from, &to, &mode, &offset, &device, &inode, &path); err != nil {
			continue
		}
		// What may be written differs from the file.
		if path == program && (mode == "r-xp" || mode == "r--p") {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED)
		}
	}
}
