package named

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/files"
)

// serverUsers are the users as which servers run, by distribution.
var serverUsers = map[Server][]string{
	BIND: {"bind", "named"}, NSD: {"nsd"}, Knot: {"knot", "knotd"}, Nullspfd: {"nullspf"},
	PowerDNS: {"pdns"}, CoreDNS: {"coredns"}, YADIFA: {"yadifa"}, Unbound: {"unbound"},
}

// CheckAccess warns about files and directories below root, the output directory,
// that the user of a server cannot read, or not write to where it must. It returns
// nothing when no such user exists on this machine.
//
// BIND and NSD read their configuration as root when they start, and as their own
// user when they are told to read it again.
func CheckAccess(s Settings, t Target, root string) []CheckResult {
	for _, name := range serverUsers[t.Server] {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		who, err := accountOf(u)
		if err != nil {
			return nil
		}
		var results []CheckResult
		for _, need := range s.needs(t) {
			path := need.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(root, filepath.FromSlash(path))
			}
			if reason := who.lacks(path, need.mode); reason != "" {
				results = append(results, CheckResult{Server: t.Server, File: need.path, Verdict: CheckWarn, Reason: reason})
				if strings.HasPrefix(reason, cannotEnter) {
					break // nor anything else
				}
			}
		}
		return results
	}
	return nil
}

// need is a file or directory that a server uses, with the bits of one class of a
// mode: 4 to read, 2 to write, 1 to enter.
type need struct {
	path string
	mode fs.FileMode
}

// needs are the files that a server uses, relative to the output directory.
func (s *Settings) needs(t Target) []need {
	if t.Server == PowerDNS && t.Role == RoleSecondary {
		return nil // its zones are in a database
	}
	dir := string(t.Server)
	if t.Server == BIND {
		dir = "named"
	}
	file := t.Role
	switch {
	case t.Server == Nullspfd || t.Server == CoreDNS:
		file += ".Corefile"
	case t.Catalog:
		file += "-catalog.conf"
	default:
		file += ".conf"
	}
	needs := []need{{dir + "/" + file, 4}}
	if s.TSIG != nil && t.Server != PowerDNS && !(t.Role == RoleSecondary && t.Server.Unsigned()) {
		needs = append(needs, need{dir + "/tsig.key", 4})
	}
	if t.Role == RoleSecondary && (t.Server == CoreDNS || t.Server == YADIFA) {
		return needs // no copies, or in a directory of its own
	}
	if t.Role == RoleSecondary {
		return append(needs, need{or(s.Store, "secondary"), 7})
	}
	if s.Catalog != "" {
		needs = append(needs, need{catalogFile, 4})
	}
	if s.DNSSEC && t.Server == BIND {
		return append(needs, need{"zones", 7}, need{or(s.Keys, "keys"), 7})
	}
	return append(needs, need{"zones", 5})
}

// account is a user with his groups.
type account struct {
	name   string
	group  string // the main one
	id     int
	groups []int
}

func accountOf(u *user.User) (*account, error) {
	a := &account{name: u.Username, group: u.Gid}
	if g, err := user.LookupGroupId(u.Gid); err == nil {
		a.group = g.Name
	}
	var err error
	if a.id, err = strconv.Atoi(u.Uid); err != nil {
		return nil, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	for _, g := range groups {
		id, err := strconv.Atoi(g)
		if err != nil {
			return nil, err
		}
		a.groups = append(a.groups, id)
	}
	return a, nil
}

const cannotEnter = "cannot be reached by user "

// lacks says what an account may not do with a file or directory, "" when it may
// do all that mode says, or when the file does not exist.
func (a *account) lacks(path string, mode fs.FileMode) string {
	for dir := range parents(path) {
		if info, err := os.Stat(dir); err == nil && !a.may(info, 1) {
			return fmt.Sprintf("%s%s, which may not enter %s (mode %04o); allow it: chmod o+x %s", cannotEnter, a.name, dir, info.Mode().Perm(), shellQuote(dir))
		}
	}
	info, err := os.Stat(path)
	if err != nil || a.may(info, mode) {
		return ""
	}
	verb, bits := "read", "r"
	if mode&2 != 0 {
		verb, bits = "write to", "rw"
	}
	if mode&1 != 0 {
		bits += "x"
	}
	file := shellQuote(path)
	return fmt.Sprintf("user %s may not %s it (mode %04o); allow it: chgrp %s %s; chmod g+%s %[5]s", a.name, verb, info.Mode().Perm(), a.group, file, bits)
}

// parents yields the directories above a path, from the root on.
func parents(path string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i, c := range path {
			if c == '/' && !yield(path[:max(i, 1)]) {
				return
			}
		}
	}
}

// may reports whether the mode of a file allows something, as access control lists
// and capabilities aside the kernel decides it.
func (a *account) may(info fs.FileInfo, mode fs.FileMode) bool {
	owner, ok := files.OwnerOf(info)
	perm := info.Mode().Perm()
	switch {
	case !ok || a.id == 0:
		return true
	case owner.User == a.id:
		perm >>= 6
	case slices.Contains(a.groups, owner.Group):
		perm >>= 3
	}
	return perm&mode == mode
}
