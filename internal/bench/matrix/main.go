// Matrix has each SPF implementation that can be installed check forged messages
// against each layout, with a real nullspfd behind it, and writes what they answered,
// asked and caused to be recorded into docs/tracking.md:
//
//	make matrix
//
// The programs of Debian run in trees of their own, which setup makes below
// ~/.cache/nullspf/matrix, beside a tree of npm packages and a program with libraries
// in Go. All of it runs in a network namespace without any way out. Takes root, some
// 1 GB of disk, and about ten minutes, most of them waiting for a tracking zone
// that is silent.
package main

import (
	"bytes"
	"context"
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"nullspf/internal/peers"
)

//go:embed data
var data embed.FS

func main() {
	cache, _ := os.UserCacheDir()
	dir := flag.String("dir", filepath.Join(cache, "nullspf/matrix"), "`directory` of the implementations, made by setup")
	write := flag.String("write", "", "write the tables into this `document`, between its marks, instead of printing them")
	only := flag.String("only", "", "only the implementations with these `names`, separated by commas")
	flag.Parse()
	os.Exit(peers.Isolated(func() int {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		if err := run(ctx, *dir, *write, *only); err != nil {
			fmt.Fprintln(os.Stderr, "matrix:", err)
			return 1
		}
		return 0
	}))
}

func run(ctx context.Context, dir, document, only string) error {
	if err := peers.Namespaces(); err != nil {
		return err
	}
	chosen := programs
	if only != "" {
		if document != "" {
			return fmt.Errorf("-write needs all implementations; leave out -only")
		}
		names := strings.Split(only, ",")
		chosen = slices.DeleteFunc(slices.Clone(programs), func(p *program) bool { return !slices.Contains(names, p.name) })
	}
	if err := unpack(dir); err != nil {
		return err
	}
	s, err := newSite(ctx, dir)
	if err != nil {
		return err
	}
	defer s.stop()

	seats := make([]*seat, len(chosen))
	errs := make([]error, len(chosen))
	var wg sync.WaitGroup
	// Starting programs is work, waiting for a silent zone is not.
	busy := make(chan struct{}, 2)
	for i, p := range chosen {
		wg.Go(func() {
			if seats[i], errs[i] = s.newSeat(i, p); errs[i] == nil {
				errs[i] = seats[i].measure(ctx, busy)
			}
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", p.name, errs[i])
				fmt.Fprintln(os.Stderr, errs[i])
				return
			}
			fmt.Fprintln(os.Stderr, p.name, "done")
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("no tables: %w", err)
		}
	}
	if err := s.readJournal(ctx, seats); err != nil {
		return err
	}
	text := tables(seats)
	if document == "" {
		fmt.Print(text)
		return nil
	}
	return replace(document, text)
}

// unpack writes the files that programs need into their trees.
func unpack(dir string) error {
	return fs.WalkDir(data, "data", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := data.ReadFile(path)
		if err != nil {
			return err
		}
		for _, tree := range []string{debian, exim, courier, "node"} {
			to := filepath.Join(dir, tree, "matrix", filepath.Base(path))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(to, text, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// The marks around the tables in the document.
const (
	beginMark = "<!-- matrix -->\n"
	endMark   = "<!-- end of matrix -->\n"
)

// between returns what stands between the marks, and what before and after.
func between(document []byte) (before, text, after []byte, err error) {
	before, rest, ok := bytes.Cut(document, []byte(beginMark))
	text, after, ends := bytes.Cut(rest, []byte(endMark))
	if !ok || !ends {
		return nil, nil, nil, fmt.Errorf("%q and %q do not stand in the document", beginMark, endMark)
	}
	return before, text, after, nil
}

func replace(document, text string) error {
	old, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, _, after, err := between(old)
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	return os.WriteFile(document, slices.Concat(before, []byte(beginMark), []byte(text), []byte(endMark), after), 0o644)
}
