package loadtest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metrics are the values of /metrics that are whole numbers, by name with
// labels.
type metrics map[string]uint64

func (d *daemon) metrics(t *testing.T) metrics {
	t.Helper()
	m := make(metrics)
	for line := range strings.Lines(string(d.get(t, "/metrics"))) {
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || !strings.HasPrefix(line, "nullspfd_") && !strings.HasPrefix(line, "go_goroutines ") {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		if err != nil {
			t.Fatalf("metrics: %q", line)
		}
		m[line[:i]] = uint64(value)
	}
	return m
}

// sum adds up the series of a name whose labels hold all the given ones, each
// such as transport="udp".
func (m metrics) sum(name string, labels ...string) (n uint64) {
	for series, value := range m {
		base, have, _ := strings.Cut(series, "{")
		ok := base == name
		for _, l := range labels {
			ok = ok && strings.Contains(have, l)
		}
		if ok {
			n += value
		}
	}
	return n
}

const (
	udp = `transport="udp"`
	tcp = `transport="tcp"`
)

func (m metrics) received(labels ...string) uint64 {
	return m.sum("nullspfd_queries_received_total", labels...)
}

func (m metrics) answered(labels ...string) uint64 {
	return m.sum("nullspfd_queries_answered_total", labels...)
}

func (m metrics) dropped(labels ...string) uint64 {
	return m.sum("nullspfd_queries_dropped_total", labels...)
}

func (m metrics) socketDrops() uint64 { return m.sum("nullspfd_socket_drops_total") }
func (m metrics) events() uint64      { return m.sum("nullspfd_events_total") }
func (m metrics) stored() uint64      { return m.sum("nullspfd_events_stored_total") }

func (m metrics) lost(reason string) uint64 {
	return m.sum("nullspfd_events_lost_total", `reason="`+reason)
}

// balanced reports whether all that was received is accounted for, and written
// or lost. Answers from zones that are not for tracking are not events, and SMTP
// sessions are.
func (m metrics) balanced() bool {
	others := m.sum("nullspfd_zones", `kind="parked"`)+m.sum("nullspfd_zones", `kind="secondary"`) > 0
	return m.received(udp) == m.answered(udp)+m.dropped(udp) &&
		m.received(tcp) == m.answered(tcp)+m.dropped(tcp) &&
		(others || m.events() == m.answered(`answer="zone"`)+m.sum("nullspfd_smtp_sessions_total")) &&
		m.events() == m.stored()+m.lost("")
}

// settled waits until nothing more happens and returns the metrics, which
// balance then.
func (d *daemon) settled(t *testing.T) (m metrics) {
	t.Helper()
	var before metrics
	waitFor(t, 20*time.Second, func() bool {
		before, m = m, d.metrics(t)
		delete(m, "nullspfd_tcp_connections")
		delete(m, "go_goroutines")
		same := maps.Equal(m, before)
		if !same || !m.balanced() {
			time.Sleep(100 * time.Millisecond)
			return false
		}
		return true
	}, func() string { return "the metrics do not balance:\n" + m.text() })
	return m
}

// text shows the metrics that are not 0.
func (m metrics) text() string {
	var b strings.Builder
	for _, series := range slices.Sorted(maps.Keys(m)) {
		if m[series] != 0 {
			b.WriteString(series + " " + strconv.FormatUint(m[series], 10) + "\n")
		}
	}
	return b.String()
}
