//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Owner is who a file belongs to.
type Owner struct{ User, Group int }

// OwnerOf returns the owner of a file.
func OwnerOf(info fs.FileInfo) (Owner, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Owner{}, false
	}
	return Owner{int(stat.Uid), int(stat.Gid)}, true
}

// Inherit gives a new file owner, group and mode of another, which it is about to
// replace. Without permission to do so, which only root has in general, the error
// wraps [fs.ErrPermission].
func Inherit(path string, from fs.FileInfo) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	have, _ := OwnerOf(info)
	if want, ok := OwnerOf(from); ok && want != have {
		err = os.Lchown(path, want.User, want.Group)
	}
	// Changing the owner may clear bits of the mode.
	return errors.Join(err, os.Chmod(path, from.Mode().Perm()))
}
