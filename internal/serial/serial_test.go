package serial

import "testing"

func TestGreater(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{
		{1, 0, true},
		{0, 1, false},
		{0, 0, false},
		{0, 1<<32 - 1, true},
		{1<<31 - 1, 0, true},
		{1 << 31, 0, false},
		{0, 1 << 31, false},
		{1<<31 + 1, 0, false},
		{0, 1<<31 + 1, true},
		{2026112001, 2026112000, true},
	} {
		if got := Greater(c.a, c.b); got != c.want {
			t.Errorf("%d > %d: %v", c.a, c.b, got)
		}
	}
}
