// Command zones measures the generator beside a plain loop that writes
// the same bytes to the same paths:
//
//	go run ./internal/bench/zones -nullspf bin/nullspf [-n 100000,1000000] [-rounds 5] [-dir DIR]
//
// It prints a table for docs/performance.md: wall time, processor time and peak
// memory of the first build, a run in which nothing changed, runs in which one
// domain changed, one was added and all changed, and of 900 domains. First builds and
// plain loops take turns; the ratio is the median of those of the rounds, of which a
// million domains have one.
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
	"slices"
	"strconv"
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
      - This domain sends no %s
      - Null SPF is for tracking purposes only
      - All mail claiming to be from {domain} is forged
    dmarc: {policy: reject, rua: ["mailto:dmarc@example.net"]}
primary: {addresses: [127.0.0.1], allow_transfer: [127.0.0.1], also_notify: [127.0.0.1]}
servers: [bind, nsd, knot, nullspfd]
`

// maxRounds is the number of domains above which there is one round.
const maxRounds = 300000

func main() {
	log.SetFlags(0)
	sizes := flag.String("n", "100000,1000000", "numbers of domains")
	rounds := flag.Int("rounds", 5, "first builds and plain loops")
	program := flag.String("nullspf", "bin/nullspf", "the program")
	parent := flag.String("dir", "", "directory for the files, removed afterwards; default: a temporary one")
	loop := flag.String("loop", "", "run the plain loop in the directory of a measurement")
	flag.Parse()
	if *loop != "" {
		(&bench{dir: *loop}).loop()
		return
	}
	abs, err := filepath.Abs(*program)
	check(err)
	dir, err := os.MkdirTemp(*parent, "bench-zones")
	check(err)
	defer os.RemoveAll(dir)

	b := &bench{dir: dir, program: abs}
	fmt.Printf("%-34s %9s %9s %9s\n", "", "wall s", "cpu s", "peak MB")
	b.list(900, -1, "email")
	b.run("900 domains, first build")
	b.run("900 domains, nothing changed")
	for word := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(word)
		check(err)
		b.measure(n, *rounds)
	}
}

type bench struct {
	dir, program string
	retired      int
}

// measure goes through the runs for n domains.
func (b *bench) measure(n, rounds int) {
	if n > maxRounds {
		rounds = 1
	}
	var ratios []float64
	b.list(n, -1, "email")
	for i := range rounds {
		b.retire("build")
		first := b.run(fmt.Sprintf("%d domains, first build", n))
		plain := b.plainLoop()
		ratios = append(ratios, first.Seconds()/plain.Seconds())
		if i < rounds-1 {
			continue
		}
		b.run("nothing changed")
		b.list(n, n/2, "email")
		b.run("one domain changed")
		b.list(n+1, n/2, "email")
		b.run("one domain added")
		b.list(n+1, n/2, "mail")
		b.run("all changed")
	}
	slices.Sort(ratios)
	fmt.Printf("first build / plain loop: %.2f (%.2f to %.2f)\n", ratios[rounds/2], ratios[0], ratios[rounds-1])
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// list writes a list of n domains, of which the one with index changed has another
// address, and the configuration with a word of its texts.
func (b *bench) list(n, changed int, word string) {
	var list bytes.Buffer
	list.WriteString("domain,a\n")
	for i := range n {
		fmt.Fprintf(&list, "brand-%07d.example,", i)
		if i == changed {
			list.WriteString("192.0.2.81 2001:db8::81")
		}
		list.WriteByte('\n')
	}
	check(os.WriteFile(b.path("list.csv"), list.Bytes(), 0o644))
	check(os.WriteFile(b.path("nullspf.yaml"), fmt.Appendf(nil, config, word), 0o644))
}

// run builds and prints what it took.
func (b *bench) run(what string) time.Duration {
	syscall.Sync()
	cmd := exec.Command(b.program, "zones", "-c", b.path("nullspf.yaml"))
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

// retire takes a directory out of the way. It is removed at the end: for half a minute
// after a file was removed, ext4 passes over its inode, which the next run would pay for.
func (b *bench) retire(name string) {
	b.retired++
	err := os.Rename(b.path(name), b.path(fmt.Sprintf("retired-%d", b.retired)))
	if !os.IsNotExist(err) {
		check(err)
	}
}

// plainLoop has another process write what the build holds to another directory,
// and removes that.
func (b *bench) plainLoop() time.Duration {
	cmd := exec.Command(os.Args[0], "-loop", b.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	check(err)
	var wall, cpu float64
	_, err = fmt.Sscan(string(out), &wall, &cpu)
	check(err)
	fmt.Printf("%-34s %9.2f %9.2f\n", "plain loop", wall, cpu)
	b.retire("plain")
	return time.Duration(wall * float64(time.Second))
}

// loop reads what the build holds, writes it to another directory, one file after
// the other, and prints wall and processor time of that.
func (b *bench) loop() {
	type file struct {
		path string
		text []byte
	}
	var files []file
	build := b.path("build")
	check(filepath.WalkDir(build, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files = append(files, file{strings.Replace(path, build, b.path("plain"), 1), text})
		return err
	}))
	syscall.Sync()
	before := processorTime()
	start := time.Now()
	for _, f := range files {
		err := os.WriteFile(f.path, f.text, 0o644)
		if os.IsNotExist(err) {
			check(os.MkdirAll(filepath.Dir(f.path), 0o755))
			err = os.WriteFile(f.path, f.text, 0o644)
		}
		check(err)
	}
	wall := time.Since(start)
	fmt.Println(wall.Seconds(), (processorTime() - before).Seconds())
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
