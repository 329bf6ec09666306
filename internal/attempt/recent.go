package attempt

import "time"

// maxRecent bounds the memory of attempts in each of two generations. When more
// begin within the span, the oldest are dropped before its end.
const maxRecent = 1 << 19

// recent remembers values for at least span, if no more than maxRecent come in
// that time.
type recent[V any] struct {
	span       time.Duration
	young, old map[uint64]V
	began      int64
}

func (r *recent[V]) get(key uint64) (v V, ok bool) {
	if v, ok = r.young[key]; !ok {
		v, ok = r.old[key]
	}
	return v, ok
}

func (r *recent[V]) put(key uint64, v V, now int64) {
	if r.young == nil || len(r.young) >= maxRecent || !Within(now, r.began, r.span) {
		r.old, r.young = r.young, make(map[uint64]V, len(r.young))
		r.began = now
	}
	r.young[key] = v
}

func (r *recent[V]) drop(key uint64) {
	delete(r.young, key)
	delete(r.old, key)
}
