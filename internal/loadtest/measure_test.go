package loadtest

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// measurement tells how queries of a span of time were answered.
type measurement struct {
	sent, answered int
	span           time.Duration
	// Latencies.
	median, p99, worst time.Duration
}

// measure looks at the queries that were sent from a time to another, in ns
// since epoch.
func measure(streams []*stream, from, to int64) measurement {
	m := measurement{span: time.Duration(to - from)}
	var latencies []time.Duration
	for _, s := range streams {
		for number := range s.sent.Load() {
			sent := s.sentAt[number].Load()
			if sent < from || sent >= to {
				continue
			}
			m.sent++
			if at := s.answeredAt[number].Load(); at != 0 {
				latencies = append(latencies, time.Duration(at-sent))
			}
		}
	}
	slices.Sort(latencies)
	if m.answered = len(latencies); m.answered > 0 {
		m.median = latencies[m.answered/2]
		m.p99 = latencies[m.answered*99/100]
		m.worst = latencies[m.answered-1]
	}
	return m
}

// rate is in answers a second.
func (m *measurement) rate() float64 { return float64(m.answered) / m.span.Seconds() }

// String shows the measurement.
func (m *measurement) String() string {
	return fmt.Sprintf("%.0f answers/s over %s, %d of %d without answer, latency %s (median), %s (99%%), %s (worst)",
		m.rate(), m.span.Round(time.Millisecond), m.sent-m.answered, m.sent, m.median, m.p99, m.worst)
}

// worstLatency is what a busy machine may take for an answer. A system call
// that waits for a disk takes longer in all the faults.
const worstLatency = time.Second

// fullSpeed fails the test unless queries were answered as before. They come
// whether or not the ones before were answered.
func (m *measurement) fullSpeed(t *testing.T, before *measurement) {
	t.Helper()
	if m.answered < m.sent {
		t.Errorf("%d of %d queries were not answered", m.sent-m.answered, m.sent)
	}
	switch asked, usual := float64(m.sent)/m.span.Seconds(), before.rate(); {
	case asked < usual/2:
		t.Errorf("the clients asked %.0f queries a second, before %.0f: too few to tell anything", asked, usual)
	case m.rate() < 0.9*min(usual, asked):
		t.Errorf("the rate fell from %.0f to %.0f answers a second", usual, m.rate())
	}
	if m.worst > max(worstLatency, 3*before.worst) {
		t.Errorf("an answer took %s, before %s", m.worst, before.worst)
	}
	if m.p99 > max(worstLatency/4, 3*before.p99) {
		t.Errorf("a hundredth of the answers took %s, before %s", m.p99, before.p99)
	}
}
