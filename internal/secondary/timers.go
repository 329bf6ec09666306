package secondary

// timers are the zones by the time of their next event: a heap whose first has
// the earliest. They own the fields at and place of zones.
type timers []*zone

// set puts a zone in or moves it; with never it is taken out.
func (t *timers) set(z *zone, at instant) {
	in := z.place > 0
	z.at = at
	switch {
	case at == never && in:
		t.remove(z)
	case at == never:
	case in:
		t.fix(int(z.place - 1))
	default:
		*t = append(*t, z)
		t.up(len(*t) - 1)
	}
}

// remove takes a zone out that is in.
func (t *timers) remove(z *zone) {
	i, last := int(z.place-1), len(*t)-1
	moved := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	z.place = 0
	if i < last {
		(*t)[i] = moved
		t.fix(i)
	}
}

func (t *timers) fix(i int) {
	if !t.down(i) {
		t.up(i)
	}
}

func (t *timers) up(i int) {
	z := (*t)[i]
	for i > 0 {
		above := (i - 1) / 2
		if (*t)[above].at <= z.at {
			break
		}
		t.put(i, (*t)[above])
		i = above
	}
	t.put(i, z)
}

// down reports whether the zone has moved.
func (t *timers) down(i int) bool {
	z, from := (*t)[i], i
	for {
		below := 2*i + 1
		if below >= len(*t) {
			break
		}
		if right := below + 1; right < len(*t) && (*t)[right].at < (*t)[below].at {
			below = right
		}
		if z.at <= (*t)[below].at {
			break
		}
		t.put(i, (*t)[below])
		i = below
	}
	t.put(i, z)
	return i > from
}

func (t *timers) put(i int, z *zone) {
	(*t)[i] = z
	z.place = int32(i + 1)
}
