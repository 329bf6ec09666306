// Package files syncs files to disk, replaces them atomically, locks them, and tells
// when others change them.
//
// After a power failure a file is what it was when SyncData or SyncFS last
// returned without error; a name stands in a directory when SyncDir or SyncFS
// did. The package imports nothing of this module.
package files
