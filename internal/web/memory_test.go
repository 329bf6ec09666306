package web

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nullspf/internal/forgerylog"
)

// counted is an engine that counts how often it is asked, and answers when it may.
type counted struct {
	forgerylog.Engine
	asked atomic.Int32
	may   chan struct{}
	ended chan error
}

func (c *counted) Top(ctx context.Context, _ forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	c.asked.Add(1)
	select {
	case <-c.may:
	case <-ctx.Done():
		c.ended <- ctx.Err()
		return nil, ctx.Err()
	}
	r := &forgerylog.Ranking{By: by}
	for i := range n {
		r.Ranks = append(r.Ranks, forgerylog.Rank{Value: fmt.Sprint(i), Count: 1})
	}
	return r, nil
}

func newCounted() *counted { return &counted{may: make(chan struct{}), ended: make(chan error, 1)} }

// TestViewersShareAnswers: equal questions are asked once, and a list uses what a page asked.
func TestViewersShareAnswers(t *testing.T) {
	t.Parallel()
	c := newCounted()
	m := newMemory(c, time.Now)
	var viewers sync.WaitGroup
	for i := range 20 {
		viewers.Go(func() {
			r, err := m.at("/", false).Top(t.Context(), forgerylog.Query{}, forgerylog.ByIP, i+1)
			if err != nil || len(r.Ranks) != i+1 {
				t.Error(r, err)
			}
		})
	}
	for c.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(250 * time.Millisecond) // which the moment costs, so that it lasts
	close(c.may)
	viewers.Wait()
	if _, err := m.at("/", false).Top(t.Context(), forgerylog.Query{}, forgerylog.ByIP, listed); err != nil || c.asked.Load() != 1 {
		t.Error("asked", c.asked.Load(), err)
	}
	for i, o := range []*moment{m.at("/?domain=x", false), m.at("/", true)} {
		if _, err := o.Top(t.Context(), forgerylog.Query{}, forgerylog.ByIP, 1); err != nil || c.asked.Load() != int32(i)+2 {
			t.Error("another filter, or who wants new numbers, got old ones", err)
		}
	}
}

// TestMomentsEnd: numbers are as old as they may be by what they cost.
func TestMomentsEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, test := range []struct {
		cost, age time.Duration
		over      bool
	}{
		{0, time.Millisecond, true}, {time.Second, 19 * time.Second, false}, {time.Second, 21 * time.Second, true},
		{time.Hour, longestMoment - time.Second, false}, {time.Hour, longestMoment + time.Second, true},
	} {
		o := &moment{began: now.Add(-test.age), cost: test.cost, answers: map[string]*answer{"asked": nil}}
		if o.over(now) != test.over {
			t.Error(test)
		}
		if o.running = 1; o.over(now) {
			t.Error("over while it is being answered")
		}
	}
	if o := (&moment{began: now.Add(-unasked)}); o.over(now) || !o.over(now.Add(1)) {
		t.Error("a moment that was asked nothing")
	}
}

// TestLastViewerCancels: a question goes on while somebody waits, and ends with the last one;
// who asks again is answered.
func TestLastViewerCancels(t *testing.T) {
	t.Parallel()
	c := newCounted()
	m := newMemory(c, time.Now)
	o := m.at("/", false)
	first, leave := context.WithCancel(t.Context())
	second, leaveToo := context.WithCancel(t.Context())
	left := make(chan error)
	for _, ctx := range []context.Context{first, second} {
		go func() {
			_, err := o.Top(ctx, forgerylog.Query{}, forgerylog.ByIP, 1)
			left <- err
		}()
	}
	waiting := func(n int) {
		for {
			m.mu.Lock()
			reached := false
			for _, a := range o.answers {
				reached = a.waiting == n
			}
			m.mu.Unlock()
			if reached {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	waiting(2)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	waiting(1)
	select {
	case <-c.ended:
		t.Error("it ended although a viewer waits")
	case <-time.After(20 * time.Millisecond):
	}
	leaveToo()
	<-left
	if err := <-c.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(c.may)
	if r, err := o.Top(t.Context(), forgerylog.Query{}, forgerylog.ByIP, 1); err != nil || len(r.Ranks) != 1 {
		t.Error(r, err)
	}
}

// TestMemoryIsBounded: what was not used for the longest time is forgotten.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory(nil, time.Now)
	answer := func(filter string, bytes int) {
		_, err := remember(t.Context(), m.at(filter, false), "what", func(int) int { return bytes }, func(context.Context) (int, error) {
			time.Sleep(time.Millisecond)
			return 1, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		answer(fmt.Sprint(i), remembered/8)
	}
	if m.size > remembered || len(m.moments) > 8 || m.moments["19"] == nil || m.moments["0"] != nil {
		t.Errorf("%d bytes of %d moments", m.size, len(m.moments))
	}
	for i := range moments + 5 {
		m.at(fmt.Sprint("small ", i), false)
	}
	if len(m.moments) > moments || m.size < 0 {
		t.Errorf("%d bytes of %d moments", m.size, len(m.moments))
	}
}

// TestPanicOfAQuestion: a fault in one question is an error of those who asked it.
func TestPanicOfAQuestion(t *testing.T) {
	t.Parallel()
	m := newMemory(nil, time.Now)
	_, err := remember(t.Context(), m.at("/", false), "what", func(int) int { return 0 }, func(context.Context) (int, error) { panic("broken") })
	if err == nil || !strings.Contains(err.Error(), "internal error: broken") {
		t.Error(err)
	}
}
