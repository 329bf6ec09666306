// Command zones measures the generator beside a plain loop that writes
// the same bytes to the same paths:
//
//	go run ./internal/bench/zones -nullspf bin/nullspf [-n 1000000] [-dir DIR]
//
// It prints a table for docs/performance.md: wall time, processor time and peak
// memory of the first build, a run in which nothing changed, runs in which one
// domain changed and one was added, and the same with 900 domains.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const config = `output: build
nameservers: [ns1.example.net, ns2.example.net]
soa: {rname: hostmaster.example.net}
track: {zone: _spf.example.net}
groups:
  generic:
    list: list.csv
    a: [192.0.2.80]
    aaaa: [2001:db8::80]
    www: true
    txt:
      - This domain sends no email
      - Null SPF is for tracking purposes only
      - All mail claiming to be from {domain} is forged
    dmarc: {policy: reject, rua: ["mailto:dmarc@example.net"]}
primary: {addresses: [127.0.0.1], allow_transfer: [127.0.0.1], also_notify: [127.0.0.1]}
servers: [bind, nsd, knot, nullspfd]
`

func main() {
	log.SetFlags(0)
	n := flag.Int("n", 1000000, "domains")
	program := flag.String("nullspf", "bin/nullspf", "the program")
	parent := flag.String("dir", "", "directory for the files, removed afterwards; default: a temporary one")
	flag.Parse()
	abs, err := filepath.Abs(*program)
	check(err)
	dir, err := os.MkdirTemp(*parent, "bench-zones")
	check(err)
	defer os.RemoveAll(dir)

	b := &bench{dir: dir, program: abs}
	fmt.Printf("%-34s %9s %9s %9s\n", "", "wall s", "cpu s", "peak MB")
	b.list(900, -1, 0)
	b.run("900 domains, first build")
	b.run("900 domains, nothing changed")
	check(os.RemoveAll(filepath.Join(dir, "build")))

	b.list(*n, -1, 0)
	first := b.run(fmt.Sprintf("%d domains, first build", *n))
	b.run("nothing changed")
	b.list(*n, *n/2, 0)
	b.run("one domain changed")
	b.list(*n, *n/2, 1)
	b.run("one domain added")
	plain := b.plainLoop()
	fmt.Printf("first build / plain loop: %.2f\n", first.Seconds()/plain.Seconds())
}

type bench struct{ dir, program string }

// list writes the configuration and a list in which the domain with index
// changed has another address, with some domains more.
func (b *bench) list(n, changed, more int) {
	var list bytes.Buffer
	list.WriteString("domain,a\n")
	for i := range n + more {
		fmt.Fprintf(&list, "brand-%07d.example,", i)
		if i == changed {
			list.WriteString("192.0.2.81 2001:db8::81")
		}
		list.WriteByte('\n')
	}
	check(os.WriteFile(filepath.Join(b.dir, "list.csv"), list.Bytes(), 0o644))
	check(os.WriteFile(filepath.Join(b.dir, "nullspf.yaml"), []byte(config), 0o644))
}

// run builds and prints what it took.
func (b *bench) run(what string) time.Duration {
	syscall.Sync()
	cmd := exec.Command(b.program, "zones", "-c", filepath.Join(b.dir, "nullspf.yaml"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		log.Fatalf("%s: %v\n%s", what, err, out.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("%-34s %9.2f %9.2f %9d\n", what, wall.Seconds(), cpu.Seconds(), usage.Maxrss>>10)
	return wall
}

// plainLoop writes what the build holds to another directory, one file after the
// other.
func (b *bench) plainLoop() time.Duration {
	type file struct {
		path string
		text []byte
	}
	var files []file
	build := filepath.Join(b.dir, "build")
	check(filepath.WalkDir(build, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files = append(files, file{strings.Replace(path, build, filepath.Join(b.dir, "plain"), 1), text})
		return err
	}))
	check(os.RemoveAll(build))
	syscall.Sync()
	start := time.Now()
	var bytes int
	for _, f := range files {
		err := os.WriteFile(f.path, f.text, 0o644)
		if os.IsNotExist(err) {
			check(os.MkdirAll(filepath.Dir(f.path), 0o755))
			err = os.WriteFile(f.path, f.text, 0o644)
		}
		check(err)
		bytes += len(f.text)
	}
	wall := time.Since(start)
	fmt.Printf("%-34s %9.2f   (%d files, %d MB)\n", "plain loop", wall.Seconds(), len(files), bytes>>20)
	return wall
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
