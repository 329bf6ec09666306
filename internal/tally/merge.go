package tally

import (
	"strings"
	"unsafe"
)

// Run is different texts in order, each with a count.
type Run interface {
	// Next goes to the next text; false: there is none.
	Next() (bool, error)
	// Text is the present text, valid until Next is called.
	Text() string
	// Count is how often it occurs.
	Count() uint64
	// From is the same run, from its begin, without the texts before one.
	From(text string) Run
	// blockCount is the size of the run, about: how many blocks of counts it has.
	blockCount() int
	// firsts appends the first text of each block.
	firsts(list []string) []string
	// sample returns about n of the texts that have about as many between each other.
	sample(n int) ([]string, error)
}

// again are runs from their begin on.
func again(runs []Run) []Run {
	list := make([]Run, len(runs))
	for i, r := range runs {
		list[i] = r.From("")
	}
	return list
}

// head is a run and its present text.
type head struct {
	prefix uint64
	text   string
	run    Run
}

func (a *head) less(b *head) bool {
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return a.text < b.text
}

// Merge calls yield with all texts of several runs in order, and the sums of their
// counts. A text is valid until yield returns. It returns the error of yield or of a
// run.
func Merge(runs []Run, yield func(text string, n uint64) error) error {
	var heap []head
	for _, r := range runs {
		more, err := r.Next()
		if err != nil {
			return err
		}
		if more {
			heap = append(heap, head{prefixOf(r.Text()), r.Text(), r})
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		sink(heap, i)
	}
	var text []byte
	n := uint64(0)
	for begun := false; len(heap) > 0; begun = true {
		top := &heap[0]
		if !begun || view(text) != top.text {
			if begun {
				if err := yield(view(text), n); err != nil {
					return err
				}
			}
			text, n = append(text[:0], top.text...), 0
		}
		n += top.run.Count()
		more, err := top.run.Next()
		if err != nil {
			return err
		}
		if more {
			top.text = top.run.Text()
			top.prefix = prefixOf(top.text)
		} else {
			*top = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		}
		sink(heap, 0)
	}
	if n > 0 {
		return yield(view(text), n)
	}
	return nil
}

// sink moves an element down to its place in a heap.
func sink(heap []head, i int) {
	for {
		k := 2*i + 1
		if k >= len(heap) {
			return
		}
		if k+1 < len(heap) && heap[k+1].less(&heap[k]) {
			k++
		}
		if !heap[k].less(&heap[i]) {
			return
		}
		heap[i], heap[k] = heap[k], heap[i]
		i = k
	}
}

// Rank is a text and its count.
type Rank struct {
	Text string
	N    uint64
}

// before reports whether a stands before b: by count, then by text.
func (a *Rank) before(b *Rank) bool {
	if a.N != b.N {
		return a.N > b.N
	}
	return a.Text < b.Text
}

// Ranks keeps the greatest counts of those that it is told; of equal ones those
// that come first in alphabetical order.
type Ranks struct {
	// Most is how many it keeps.
	Most int
	// heap has the last of those kept at its root.
	heap []Rank
}

// Add takes a text, which is copied if it is kept.
func (r *Ranks) Add(text string, n uint64) {
	k := Rank{text, n}
	if len(r.heap) == r.Most {
		if !k.before(&r.heap[0]) {
			return
		}
		k.Text = strings.Clone(text)
		r.heap[0] = k
		r.sink(0)
		return
	}
	k.Text = strings.Clone(text)
	r.heap = append(r.heap, k)
	for i := len(r.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !r.heap[up].before(&r.heap[i]) {
			break
		}
		r.heap[i], r.heap[up] = r.heap[up], r.heap[i]
		i = up
	}
}

func (r *Ranks) sink(i int) {
	for {
		k := 2*i + 1
		if k >= len(r.heap) {
			return
		}
		if k+1 < len(r.heap) && r.heap[k].before(&r.heap[k+1]) {
			k++
		}
		if !r.heap[i].before(&r.heap[k]) {
			return
		}
		r.heap[i], r.heap[k] = r.heap[k], r.heap[i]
		i = k
	}
}

// List returns what was kept, in order; nothing can be added after it.
func (r *Ranks) List() []Rank {
	list := r.heap
	for n := len(list) - 1; n > 0; n-- {
		list[0], list[n] = list[n], list[0]
		r.heap = list[:n]
		r.sink(0)
	}
	r.heap = nil
	return list
}

// view is a text in the memory of a buffer.
func view(buf []byte) string { return unsafe.String(unsafe.SliceData(buf), len(buf)) }
