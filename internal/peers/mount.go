package peers

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Command returns a command whose program is looked for as [Program] does.
func Command(argv ...string) *exec.Cmd {
	path, err := Program(argv[0])
	if err != nil {
		path = argv[0]
	}
	return exec.Command(path, argv[1:]...)
}

// Mount makes a file system for the time of a test and mounts it on a new
// directory, by commands whose words are separated by blanks, and in which DIR
// stands for the directory.
func Mount(t TB, commands ...string) (dir string) {
	t.Helper()
	Require(t, "mount", "umount")
	dir = t.TempDir()
	for _, c := range commands {
		argv := strings.Fields(strings.ReplaceAll(c, "DIR", dir))
		Require(t, argv[0])
		if out, err := Command(argv...).CombinedOutput(); err != nil {
			Lack(t, "no file system can be mounted: %s: %v: %s", strings.Join(argv, " "), err, out)
		}
	}
	t.Cleanup(func() {
		if out, err := Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// MountExt4 mounts an ext4 file system in a file of a size such as "64M".
func MountExt4(t TB, size string) (dir string) {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	return Mount(t, "truncate -s "+size+" "+image, "mkfs.ext4 -q "+image, "mount -o loop "+image+" DIR")
}

// Freeze freezes a file system until thaw is called. Another process thaws,
// whatever becomes of this one.
func Freeze(t TB, dir string) (thaw func()) {
	t.Helper()
	Require(t, "fsfreeze")
	fsfreeze, err := Program("fsfreeze")
	if err != nil {
		t.Fatalf("%v", err)
	}
	cmd := exec.Command("sh", "-c", `"$2" -f "$1" && echo frozen && read -r end; "$2" -u "$1"`, "sh", dir, fsfreeze)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatalf("%v", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v", err)
	}
	thaw = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(thaw)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line == "" {
		thaw()
		Lack(t, "the file system cannot be frozen")
	}
	return thaw
}
