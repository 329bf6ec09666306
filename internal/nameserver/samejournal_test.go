package nameserver

import (
	"testing"
	"time"
)

// TestSameJournal: a reload may change how long events are kept, and nothing
// else of a journal.
func TestSameJournal(t *testing.T) {
	a := Journal{Dir: "var", Server: "ns1", MaxSize: 1}
	for name, c := range map[string]struct {
		change func(*Journal)
		same   bool
	}{
		"size":      {func(j *Journal) { j.MaxSize = 2 }, true},
		"age":       {func(j *Journal) { j.Retain = time.Hour }, true},
		"raw age":   {func(j *Journal) { j.RetainRaw = time.Hour }, true},
		"directory": {func(j *Journal) { j.Dir = "other" }, false},
		"server":    {func(j *Journal) { j.Server = "ns2" }, false},
		"sync":      {func(j *Journal) { j.Strict = true }, false},
	} {
		b := a
		c.change(&b)
		if got := sameJournal(&a, &b); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
	if sameJournal(&a, nil) || sameJournal(nil, &a) || !sameJournal(nil, nil) {
		t.Error("with and without a journal")
	}
}
