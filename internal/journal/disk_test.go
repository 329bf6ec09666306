package journal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"nullspf/internal/peers"
)

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := peers.Mount(t, "mount -t tmpfs -o size=8m tmpfs DIR")
	s := testSettings(t)
	s.Dir = filepath.Join(dir, "var")
	s.RingBytes = 1 << 20
	s.SegmentSize = 256 << 10
	j := mustOpen(t, s)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	put, lost := flood(t, j, 1)
	if err := j.Health(); err == nil || !strings.Contains(err.Error(), "disk_full") {
		t.Errorf("health: %v", err)
	}
	if st := account(t, j, put); st.Lost[LostDiskFull] == 0 {
		t.Errorf("stats: %+v", st)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "storing resumes", func() bool { return j.Stats().Pending == 0 })
	putAll(t, j, put+1, put+100)
	put += 100
	mustClose(t, j)
	st := account(t, j, put)
	ids := readIDs(t, s.Dir)
	if uint64(len(ids)) != st.Stored {
		t.Errorf("%d events are there, %d were stored", len(ids), st.Stored)
	}
	for _, id := range lost {
		if ids[id] {
			t.Errorf("event %d counts as lost, and is there", id)
		}
	}
	checkClean(t, s.Dir)
	// The losses outlive the process.
	m, err := loadManifest(s.Dir)
	if err != nil || m.Lost != st.Lost {
		t.Errorf("MANIFEST says %v, want %v; %v", m.Lost, st.Lost, err)
	}
}

// TestFrozenDisk freezes the file system under a journal: putting events goes
// on at full speed, and storing resumes after the thaw.
func TestFrozenDisk(t *testing.T) {
	t.Parallel()
	dir := peers.MountExt4(t, "64M")
	s := testSettings(t)
	s.Dir = filepath.Join(dir, "var")
	s.RingBytes = 1 << 20
	j := mustOpen(t, s)
	putAll(t, j, 1, 1000)
	waitUntil(t, "all is stored", func() bool { return j.Stats().Stored == 1000 })

	thaw := peers.Freeze(t, dir)
	frozen := time.Now()
	put := 1000
	var p Packet
	var b []byte
	w := j.Worker(0)
	var slowest time.Duration
	for time.Since(frozen) < 2200*time.Millisecond {
		began := time.Now()
		for range 1000 {
			put++
			fillPacket(&p, &b, put)
			w.Put(&p)
		}
		w.Commit()
		slowest = max(slowest, time.Since(began))
		time.Sleep(time.Millisecond)
	}
	st := account(t, j, put)
	if st.Stored != 1000 || st.Lost[LostStalled] == 0 {
		t.Errorf("while frozen: %+v", st)
	}
	if err := j.Health(); err == nil || !strings.Contains(err.Error(), "stalled") {
		t.Errorf("while frozen, health is %v", err)
	}
	// Who waits for the disk waits until the thaw, or for the second after which that is
	// given up; a busy machine takes less.
	if slowest > 900*time.Millisecond {
		t.Errorf("while frozen, 1000 events took %s", slowest)
	}
	thaw()
	t.Logf("%d events put while frozen; the slowest 1000 took %s", put-1000, slowest)
	waitUntil(t, "storing resumes", func() bool { return j.Stats().Pending == 0 })
	putAll(t, j, put+1, put+100)
	put += 100
	mustClose(t, j)
	st = account(t, j, put)
	if ids := readIDs(t, s.Dir); uint64(len(ids)) != st.Stored {
		t.Errorf("%d events are there, %d were stored", len(ids), st.Stored)
	}
	checkClean(t, s.Dir)
}

// TestFileSizeLimit runs into RLIMIT_FSIZE, in a process of its own.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if os.Getenv("NULLSPF_TEST_FSIZE") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFileSizeLimit$", "-test.v")
		cmd.Env = append(os.Environ(), "NULLSPF_TEST_FSIZE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limit := old
	limit.Cur = 200 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	s := testSettings(t)
	s.RingBytes = 1 << 20
	j := mustOpen(t, s)
	put, _ := flood(t, j, 1)
	waitUntil(t, "the reason is known", func() bool { r, ok := j.trouble(); return ok && r == LostDiskFull })
	account(t, j, put)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "storing resumes", func() bool { return j.Stats().Pending == 0 })
	mustClose(t, j)
	if ids := readIDs(t, s.Dir); uint64(len(ids)) != j.Stats().Stored {
		t.Errorf("%d events, stats %+v", len(ids), j.Stats())
	}
	checkClean(t, s.Dir)
}
