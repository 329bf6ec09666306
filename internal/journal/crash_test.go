package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const (
	crashDir   = "NULLSPF_TEST_JOURNAL"
	crashFirst = "NULLSPF_TEST_JOURNAL_FIRST"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	os.Exit(m.Run())
}

// crashChild puts events for ever, and tells what it put.
func crashChild(dir string) {
	first, _ := strconv.Atoi(os.Getenv(crashFirst))
	j, err := Open(Settings{
		Dir: dir, Zones: testZones, SegmentSize: minSegmentSize, SegmentAge: 100 * time.Millisecond, Logger: zerolog.Nop(),
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	// How late the machine lets a goroutine run that is due as often as the
	// writer, and how long the disk keeps the writer waiting.
	var late atomic.Int64
	go func() {
		for {
			began := time.Now()
			time.Sleep(drainEvery)
			late.Store(max(late.Load(), int64(time.Since(began)-drainEvery)))
			if busy := j.writer.busy.Load(); busy != 0 {
				late.Store(max(late.Load(), int64(j.elapsed())-busy))
			}
		}
	}()
	w := j.Worker(0)
	var p Packet
	var b []byte
	for id := first; ; {
		for range 20 {
			fillPacket(&p, &b, id)
			if !w.Put(&p) {
				fmt.Println("error: the ring is full", j.Health())
				os.Exit(1)
			}
			id++
		}
		w.Commit()
		fmt.Println(id-1, first-1+int(j.Stats().Stored), time.Duration(late.Load()))
		time.Sleep(time.Millisecond)
	}
}

// TestKill kills a process that writes, seals and drops files at random
// moments. What it put 100 ms earlier must be there, all in order, nothing
// else and nothing twice.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	last := 0
	for round := range 10 {
		safe := killedChild(t, dir, last+1, time.Duration(150+rand.IntN(300))*time.Millisecond)
		// Half of the rounds look before the next start has repaired anything.
		if round%2 == 0 {
			j, err := Open(Settings{Dir: dir, Zones: testZones, Logger: zerolog.Nop()})
			if err != nil {
				t.Fatal(err)
			}
			mustClose(t, j)
		}
		events := readAll(t, dir)
		checkIDs(t, events, 1, len(events))
		if len(events) < safe {
			t.Fatalf("round %d: %d events are there, %d were stored, or put more than 100 ms before the kill", round, len(events), safe)
		}
		checkClean(t, dir)
		last = len(events)
	}
	t.Logf("%d events", last)
}

// killedChild runs a child for a while and kills it. It returns the last event
// that was stored, as the child said, or was put 100 ms before.
func killedChild(t *testing.T, dir string, first int, life time.Duration) (safe int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashFirst+"="+strconv.Itoa(first))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	type put struct {
		id int
		at time.Time
	}
	var puts []put
	var kill time.Time
	var stored int
	var late time.Duration
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var id int
		var text string
		if _, err := fmt.Sscan(lines.Text(), &id, &stored, &text); err != nil {
			t.Errorf("child: %s", lines.Text())
			break
		}
		var err error
		if late, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		if len(puts) == 0 {
			kill = now.Add(life)
		}
		puts = append(puts, put{id, now})
		if now.After(kill) {
			break
		}
	}
	killed := time.Now()
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("child: %v", err)
	}
	// On a busy machine the child stands still at times, its writer too.
	margin := 100 * time.Millisecond
	pause := time.Duration(0)
	for i := range puts[1:] {
		pause = max(pause, puts[i+1].at.Sub(puts[i].at))
	}
	for _, p := range puts {
		if killed.Sub(p.at) > margin+pause+late {
			safe = p.id
		}
	}
	return max(safe, stored)
}
