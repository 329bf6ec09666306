package attempt

import "time"

// maxRecent bounds the memory of attempts in each of two generations. When more
// begin within the span, the oldest are dropped before its end.
const maxRecent = 1 << 19

// recent remembers values for at least span, if no more than maxRecent come in
// that time.
type recent[V any] struct {
	span       time.Duration
	young, old table[V]
	began      int64
	begun      bool
}

func (r *recent[V]) get(key uint64) (v V, ok bool) {
	if v, ok = r.young.get(key); !ok {
		v, ok = r.old.get(key)
	}
	return v, ok
}

// touch brings into the processor's caches where a key is looked for.
func (r *recent[V]) touch(key uint64) uint32 { return r.young.touch(key) | r.old.touch(key) }

// put returns where the value is until the next call.
func (r *recent[V]) put(key uint64, v V, now int64) *V {
	if !r.begun || r.young.n >= maxRecent || !Within(now, r.began, r.span) {
		r.old, r.young = r.young, r.old
		r.young.reset(r.old.n)
		r.began, r.begun = now, true
	}
	return r.young.put(key, v)
}

func (r *recent[V]) drop(key uint64) {
	r.young.drop(key)
	r.old.drop(key)
}

// table is a hash table whose keys are hashes already, of a secret seed. A key is
// looked for from the slot on that its low bits tell, up to a free one. Slots are
// small, and entries lie in the order in which they came: to learn that a key is
// not there touches slots only, and what was put of late is close together.
//
//	slots    free, 0x9a3c81f2:2, free, 0x11d70b3e:1, ...   high half of the key: entry
//	entries  1: key, value; 2: key, value; ...
type table[V any] struct {
	slots []slot
	// entries has one for each slot that is not free, those that were dropped too.
	entries []entry[V]
	// n is how many keys there are.
	n int
}

// slot holds the number of an entry, from 1, and of its key what does not tell the
// slot.
type slot struct{ high, entry uint32 }

// entry has the key gone when it was dropped.
type entry[V any] struct {
	key   uint64
	value V
}

// gone is no key: that of a query which is not looked for.
const gone = 0

const minSlots = 1 << 8

// find returns the entry of a key, nil when there is none; free is the slot where
// it would be.
func (t *table[V]) find(key uint64) (e *entry[V], free *slot) {
	mask := uint64(len(t.slots) - 1)
	high := uint32(key >> 32)
	for i := key & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.entry == 0 {
			return nil, s
		}
		if s.high == high {
			if e := &t.entries[s.entry-1]; e.key == key {
				return e, nil
			}
		}
	}
}

func (t *table[V]) touch(key uint64) uint32 {
	if t.n == 0 {
		return 0
	}
	return t.slots[key&uint64(len(t.slots)-1)].entry
}

func (t *table[V]) get(key uint64) (v V, ok bool) {
	if p := t.ref(key); p != nil {
		return *p, true
	}
	return v, false
}

// ref returns where the value of a key is until the next put, nil when there is
// none.
func (t *table[V]) ref(key uint64) *V {
	if t.n == 0 {
		return nil
	}
	if e, _ := t.find(key); e != nil {
		return &e.value
	}
	return nil
}

func (t *table[V]) put(key uint64, v V) *V {
	if 4*(len(t.entries)+1) > 3*len(t.slots) {
		t.grow()
	}
	e, free := t.find(key)
	if e == nil {
		t.entries = append(t.entries, entry[V]{key: key})
		*free = slot{uint32(key >> 32), uint32(len(t.entries))}
		t.n++
		e = &t.entries[len(t.entries)-1]
	}
	e.value = v
	return &e.value
}

func (t *table[V]) drop(key uint64) {
	if t.n == 0 || key == gone {
		return
	}
	if e, _ := t.find(key); e != nil {
		*e = entry[V]{key: gone}
		t.n--
	}
}

// grow makes room, and forgets dropped entries.
func (t *table[V]) grow() {
	size := minSlots
	for size < 2*(t.n+1) {
		size *= 2
	}
	old := t.entries
	t.slots, t.entries = make([]slot, size), make([]entry[V], 0, size*3/4)
	for i := range old {
		if old[i].key != gone {
			_, free := t.find(old[i].key)
			t.entries = append(t.entries, old[i])
			*free = slot{uint32(old[i].key >> 32), uint32(len(t.entries))}
		}
	}
}

// reset empties the table, whose memory is used again if it is about enough for n
// keys and not much more.
func (t *table[V]) reset(n int) {
	if len(t.slots) > max(8*n, minSlots) {
		t.slots, t.entries = nil, nil
	}
	clear(t.slots)
	clear(t.entries)
	t.entries, t.n = t.entries[:0], 0
}
