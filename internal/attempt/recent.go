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

func (r *recent[V]) put(key uint64, v V, now int64) {
	if !r.begun || r.young.n >= maxRecent || !Within(now, r.began, r.span) {
		r.old, r.young = r.young, r.old
		r.young.reset(r.old.n)
		r.began, r.begun = now, true
	}
	r.young.put(key, v)
}

func (r *recent[V]) drop(key uint64) {
	r.young.drop(key)
	r.old.drop(key)
}

// table is a hash table whose keys are hashes already, of a secret seed. A key is
// looked for from the slot on that its low bits tell, up to a free one.
type table[V any] struct {
	slots []slot[V]
	// n is how many keys there are, used how many slots are not free.
	n, used int
}

type slot[V any] struct {
	key   uint64
	value V
}

const (
	freeKey    = 0
	droppedKey = 1
	minSlots   = 1 << 8
)

// slotKey keeps a key apart from those with a meaning of their own.
func slotKey(key uint64) uint64 {
	if key <= droppedKey {
		key += 2
	}
	return key
}

// find returns the slot of a key, or the free one where it would be.
func (t *table[V]) find(key uint64) *slot[V] {
	mask := uint64(len(t.slots) - 1)
	i := key & mask
	for t.slots[i].key != key && t.slots[i].key != freeKey {
		i = (i + 1) & mask
	}
	return &t.slots[i]
}

func (t *table[V]) get(key uint64) (v V, ok bool) {
	if t.n == 0 {
		return v, false
	}
	key = slotKey(key)
	s := t.find(key)
	if s.key != key {
		return v, false
	}
	return s.value, true
}

func (t *table[V]) put(key uint64, v V) {
	if 4*(t.used+1) > 3*len(t.slots) {
		t.grow()
	}
	key = slotKey(key)
	s := t.find(key)
	if s.key == freeKey {
		s.key = key
		t.n++
		t.used++
	}
	s.value = v
}

func (t *table[V]) drop(key uint64) {
	if t.n == 0 {
		return
	}
	key = slotKey(key)
	if s := t.find(key); s.key == key {
		*s = slot[V]{key: droppedKey}
		t.n--
	}
}

// grow makes room, and free slots of dropped ones.
func (t *table[V]) grow() {
	old := t.slots
	size := minSlots
	for size < 2*(t.n+1) {
		size *= 2
	}
	t.slots, t.used = make([]slot[V], size), t.n
	for i := range old {
		if old[i].key > droppedKey {
			*t.find(old[i].key) = old[i]
		}
	}
}

// reset empties the table, whose memory is used again if it is about enough for n
// keys and not much more.
func (t *table[V]) reset(n int) {
	if len(t.slots) > max(8*n, minSlots) {
		t.slots = nil
	}
	clear(t.slots)
	t.n, t.used = 0, 0
}
