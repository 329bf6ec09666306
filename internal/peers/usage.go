package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// groupStats calls a function for every process of a group with its directory in
// /proc and the fields of its stat file behind the name of the program.
func groupStats(group int, process func(dir string, fields []string) error) error {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The program's name, in parentheses, may hold spaces.
		text := string(b)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 15 || fields[2] != strconv.Itoa(group) {
			continue
		}
		if err := process(filepath.Dir(path), fields); err != nil {
			return err
		}
	}
	return nil
}

// ticksPerSecond is that of /proc/PID/stat on every Linux system (sysconf
// _SC_CLK_TCK).
const ticksPerSecond = 100

// GroupTime returns the processor time of a process group, which is that of a
// server and of all that it has started. Processes that have ended count as long as
// whoever waited for them is there.
func GroupTime(group int) (total time.Duration, err error) {
	err = groupStats(group, func(dir string, fields []string) error {
		// utime, stime, cutime and cstime of proc_pid_stat(5).
		for _, field := range fields[11:15] {
			ticks, err := strconv.ParseUint(field, 10, 64)
			if err != nil {
				return fmt.Errorf("%s/stat cannot be read", dir)
			}
			total += time.Duration(ticks) * time.Second / ticksPerSecond
		}
		return nil
	})
	return total, err
}

// GroupMemory returns the memory of a process group, in bytes, and the number of its
// processes; what processes share counts once.
func GroupMemory(group int) (bytes uint64, processes int, err error) {
	err = groupStats(group, func(dir string, _ []string) error {
		rollup, err := os.ReadFile(filepath.Join(dir, "smaps_rollup"))
		if err != nil {
			return nil // it has ended
		}
		_, rest, _ := strings.Cut(string(rollup), "\nPss:")
		words := strings.Fields(rest)
		if len(words) == 0 {
			return nil // it is ending
		}
		kb, err := strconv.ParseUint(words[0], 10, 64)
		bytes += kb << 10
		processes++
		return err
	})
	return bytes, processes, err
}
