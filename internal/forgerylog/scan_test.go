package forgerylog

import (
	"testing"

	"nullspf/internal/eventrow"
)

// TestScan reads some columns of the queries from verified sources.
func TestScan(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Journals) {
		n := 0
		err := e.Scan(t.Context(), Query{Packets: true, Verified: true}, []*eventrow.Column{eventrow.ClientIP, eventrow.SourceVerified}, func(r *eventrow.Row) error {
			if n++; r.ClientIP != "192.0.2.8" || !r.SourceVerified {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil || n != 2 {
			t.Errorf("%d events, %v", n, err)
		}
	})
}
