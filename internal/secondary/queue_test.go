package secondary

import (
	"strings"
	"testing"

	"nullspf/internal/wire"
)

func TestQueue(t *testing.T) {
	var q queue
	zones := make(map[string]*zone)
	add := func(name string, u urgency) {
		if zones[name] == nil {
			zones[name] = &zone{name: wire.Name(name)}
		}
		q.add(zones[name], u)
	}
	all := func() string {
		var names []string
		for z := q.next(); z != nil; z = q.next() {
			if z.waits != urgencyNone || z.before != nil || z.after != nil {
				t.Errorf("%s still waits", z.name)
			}
			names = append(names, string(z.name))
		}
		if q.length != 0 {
			t.Errorf("%d zones in an empty queue", q.length)
		}
		q.turns = 0
		return strings.Join(names, " ")
	}
	add("t1", urgencyTimed)
	add("f1", urgencyFirst)
	add("a1", urgencyAsked)
	if got := all(); got != "a1 f1 t1" {
		t.Errorf("got %s, want the most urgent first", got)
	}
	// The least urgent has every fourth turn.
	for _, name := range []string{"a1", "a2", "a3", "a4", "a5"} {
		add(name, urgencyAsked)
	}
	add("t1", urgencyTimed)
	add("t2", urgencyTimed)
	if got := all(); got != "a1 a2 a3 t1 a4 a5 t2" {
		t.Errorf("got %s", got)
	}
	// Who waits moves when it became more urgent, never back.
	add("t1", urgencyTimed)
	add("t2", urgencyTimed)
	add("t2", urgencyAsked)
	add("t2", urgencyTimed)
	if got := all(); got != "t2 t1" {
		t.Errorf("got %s", got)
	}
	for _, name := range []string{"f1", "f2", "f3"} {
		add(name, urgencyFirst)
	}
	q.remove(zones["f2"])
	q.remove(zones["f2"])
	if got := all(); got != "f1 f3" {
		t.Errorf("got %s without the one that was removed", got)
	}
}
