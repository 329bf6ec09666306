package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/web"
)

// TestUsersAreReadAgain: changed users reach the pages, a file with a fault does not.
func TestUsersAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "nullspf.yaml")
	write := func(users string) {
		t.Helper()
		text := "nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\ngroups: {generic: {list: list.txt}}\n" +
			"web: {proxy: {from: 192.0.2.1}, users: [" + users + "]}\n"
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("{name: alice, role: all}")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen, logged := make(chan []web.User), make(chan string, 10)
	set := func(list []web.User) (bool, error) {
		select {
		case seen <- list:
		case <-ctx.Done():
		}
		if len(list) == 0 {
			return false, errors.New("nobody")
		}
		return true, nil
	}
	go newUserFile(path).watch(ctx, set, zerolog.New(writerFunc(func(line string) { logged <- line })))
	for _, step := range []struct {
		users string
		want  int // users; -1: the file has a fault
		line  string
	}{
		{"{name: alice, role: all}, {name: bob, role: all}", 2, `"users":2`},
		{"{name: alice, role: king}", -1, "nullspf.yaml:4: web.users[0].role"},
		{"", 0, "nobody"},
	} {
		write(step.users)
		if step.want >= 0 {
			select {
			case list := <-seen:
				if len(list) != step.want {
					t.Errorf("%q: %v", step.users, list)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%q: not read", step.users)
			}
		}
		select {
		case line := <-logged:
			if !strings.Contains(line, step.line) {
				t.Errorf("%q: %s", step.users, line)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%q: nothing is logged", step.users)
		}
	}
}

// writerFunc is a writer of lines.
type writerFunc func(line string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}
