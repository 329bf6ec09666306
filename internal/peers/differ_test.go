package peers

import "testing"

func (f *fakeTB) Errorf(string, ...any) { f.verdict = "error" }
func (f *fakeTB) Logf(string, ...any)   {}

func TestDifferences(t *testing.T) {
	order := &Rule{Name: "order", Most: map[Kind]float64{BIND: 50}}
	for _, tt := range []struct {
		kind      Kind
		differ    int // of 4 answers
		explained bool
		most      float64
		want      string
	}{
		{BIND, 0, true, 0, ""},
		{BIND, 2, true, 50, ""},
		{BIND, 3, true, 100, "error"},
		{BIND, 2, true, 49, "error"},
		{NSD, 1, true, 100, "error"},
		{BIND, 0, false, 100, "error"},
	} {
		d := Differences{Kind: tt.kind}
		for i := range 4 {
			if i < tt.differ {
				d.Add([]*Rule{order}, tt.explained)
			} else {
				d.Add(nil, tt.explained)
			}
		}
		f := &fakeTB{}
		d.Check(f, tt.most)
		if f.verdict != tt.want {
			t.Errorf("%+v: %q", tt, f.verdict)
		}
	}
}
