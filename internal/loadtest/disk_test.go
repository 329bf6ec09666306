package loadtest

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// run runs a command.
func run(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := peers.Command(argv...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, out)
	}
}

// siteOn makes a site whose journal lies on a file system.
func siteOn(t *testing.T, dir string) *site {
	t.Helper()
	s := newSite(t)
	s.journal = filepath.Join(dir, "var")
	return s
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// uncache has the system forget what it keeps in memory of a directory's files, so
// that they are read as the disk has them.
func uncache(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskFull fills the disk, and then makes room again.
func TestDiskFull(t *testing.T) {
	dir := peers.Mount(t, "mount -t tmpfs -o size=160m tmpfs DIR")
	ballast := filepath.Join(dir, "ballast")
	full := func(t *testing.T, _ *daemon) { fill(t, ballast) }
	faults := []fault{
		{"full, then enlarged", "disk_full", false, full, func(t *testing.T, _ *daemon) {
			run(t, "mount", "-o", "remount,size=320m", dir)
		}},
		{"full, then freed", "disk_full", false, full, func(t *testing.T, _ *daemon) {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		}},
	}
	bearFaults(t, siteOn(t, dir), slower(faultRate), someOf(faults)...)
}

// someOf returns the first of the faults, or all when "make torture" asks.
func someOf(faults []fault) []fault {
	if torture.Asked() {
		return faults
	}
	return faults[:1]
}

// TestFrozenAndReadOnly freezes the file system, which makes the writer wait in
// the kernel; and forbids all changes of the journal's files. A file system
// with files open for writing cannot be mounted read-only.
func TestFrozenAndReadOnly(t *testing.T) {
	peers.Require(t, "chattr")
	dir := peers.MountExt4(t, "256M")
	s := siteOn(t, dir)
	immutable := func(flag string) func(*testing.T, *daemon) {
		return func(t *testing.T, _ *daemon) {
			directory := filepath.Join(s.journal, "journal")
			run(t, append([]string{"chattr", flag, directory}, walFiles(t, s.journal)...)...)
		}
	}
	t.Cleanup(func() { _ = peers.Command("chattr", "-R", "-i", s.journal).Run() })
	var thaw func()
	bearFaults(t, s, slower(faultRate),
		fault{"frozen", "stalled", false,
			func(t *testing.T, _ *daemon) { thaw = peers.Freeze(t, dir) },
			func(*testing.T, *daemon) { thaw() }},
		fault{"immutable", "read_only", false, immutable("+i"), immutable("-i")})
}

// walFiles returns the journal's files that are not sealed, the newest last.
func walFiles(t *testing.T, journal string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(journal, "journal", "*.wal"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", journal, err)
	}
	return files
}

// TestMountedReadOnly starts the daemon on a file system that is mounted
// read-only.
func TestMountedReadOnly(t *testing.T) {
	dir := peers.MountExt4(t, "256M")
	s := siteOn(t, dir)
	s.start(t).stop(t)
	run(t, "mount", "-o", "remount,ro", dir)
	bearFaults(t, s, slower(faultRate), fault{"mounted read-only", "read_only", false,
		func(*testing.T, *daemon) {},
		func(t *testing.T, _ *daemon) { run(t, "mount", "-o", "remount,rw", dir) },
	})
}

// TestInputOutputErrors lets system calls fail: all that write to the journal's
// file, and all that sync files.
func TestInputOutputErrors(t *testing.T) {
	peers.Require(t, "strace")
	var detach func()
	end := func(*testing.T, *daemon) { detach() }
	faults := []fault{
		{"write fails", "io_error", false, func(t *testing.T, d *daemon) {
			files := walFiles(t, d.journal)
			detach = trace(t, d, "-P", files[len(files)-1], "-e", "trace=write", "-e", "inject=write:error=EIO")
		}, end},
		{"fdatasync and fsync fail", "io_error", false, func(t *testing.T, d *daemon) {
			detach = trace(t, d, "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO")
		}, end},
	}
	bearFaults(t, newSite(t), slower(tracedRate), someOf(faults)...)
}

// tracedRate is lower, because tracing stops the daemon at each system call.
const tracedRate = faultRate / 2

// trace attaches strace to a daemon until detach is called.
func trace(t *testing.T, d *daemon, args ...string) (detach func()) {
	t.Helper()
	cmd := peers.Command(append([]string{"strace", "-f", "-p", strconv.Itoa(d.cmd.Process.Pid), "-o", "/dev/null"}, args...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	detach = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, said)
		_ = cmd.Wait()
	})
	t.Cleanup(detach)
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		detach()
		peers.Lack(t, "processes cannot be traced: %s", line)
	}
	return detach
}

// TestFailingDisk takes the room away from under a file system: the disk on
// which it lies cannot store what is written to it, as thin disks do.
func TestFailingDisk(t *testing.T) {
	below := peers.Mount(t, "mount -t tmpfs -o size=160m tmpfs DIR")
	image := filepath.Join(below, "image")
	// Without a journal of its own, ext4 can go on after errors.
	dir := peers.Mount(t, "truncate -s 256M "+image, "mkfs.ext4 -q -O ^has_journal -E nodiscard "+image, "mount -o loop,errors=continue "+image+" DIR")
	ballast := filepath.Join(below, "ballast")
	bearFaults(t, siteOn(t, dir), slower(faultRate), fault{"a disk without room", "disk_full", true,
		func(t *testing.T, _ *daemon) { fill(t, ballast) },
		func(t *testing.T, _ *daemon) {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		},
	})
}
