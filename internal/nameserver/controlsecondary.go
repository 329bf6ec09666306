package nameserver

import (
	"fmt"

	"nullspf/internal/control"
	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// secondaryZones are the secondary zones, and the catalog zones that list some
// of them.
type secondaryZones struct{ *secondary.Engine }

// secondaryStates are the states in which a zone is shown.
var secondaryStates = map[secondary.ZoneState]control.State{
	secondary.ZonePending: control.Waiting,
	secondary.ZoneServed:  control.Serving,
	secondary.ZoneFailing: control.Serving,
	secondary.ZoneExpired: control.Expired,
}

func (s secondaryZones) count() (counts []control.ZoneCount) {
	status := s.Status()
	for _, k := range []struct {
		kind   control.Kind
		states secondary.StateCounts
	}{{control.Secondary, status.Zones}, {control.Catalog, status.Catalogs}} {
		n := control.ZoneCount{
			Kind:    k.kind,
			Serving: k.states[secondary.ZoneServed] + k.states[secondary.ZoneFailing],
			Waiting: k.states[secondary.ZonePending],
			Expired: k.states[secondary.ZoneExpired],
		}
		if n.Serving+n.Waiting+n.Expired > 0 {
			counts = append(counts, n)
		}
	}
	return counts
}

func (s secondaryZones) each(yield func(*control.Zone) error) (err error) {
	s.Zones(func(z secondary.ZoneStatus) bool {
		err = yield(&secondaryZone{s.Engine, z}.detail().Zone)
		return err == nil
	})
	return err
}

func (s secondaryZones) zone(name wire.Name) controlledZone {
	z, ok := s.ZoneStatus(name)
	if !ok {
		return nil
	}
	return secondaryZone{s.Engine, z}
}

// secondaryZone is a zone of a primary.
type secondaryZone struct {
	secondary *secondary.Engine
	secondary.ZoneStatus
}

func (z secondaryZone) apex() wire.Name { return z.Name }

func (z secondaryZone) detail() *control.ZoneDetail {
	d := &control.ZoneDetail{Zone: control.Zone{
		Name: z.Name.Text(), Kind: control.Secondary, State: secondaryStates[z.State],
		Primary: z.Primary.String(), Refreshed: z.Refreshed, Next: z.Next, Expires: z.Expires,
	}}
	if z.IsCatalog {
		d.Kind = control.Catalog
	}
	if z.Catalog != "" {
		d.Catalog = z.Catalog.Text()
	}
	if z.Problem != nil {
		d.Error = z.Problem.Error()
	}
	if z.Zone != nil {
		d.Serial, d.Records, d.Bytes = z.Zone.Serial(), z.Zone.Count(), z.Zone.Size()
	}
	for _, p := range z.Primaries {
		d.Primaries = append(d.Primaries, p.Addr.String())
	}
	return d
}

func (z secondaryZone) records() func(func(*wire.Record) bool) {
	if z.Zone == nil {
		return nil
	}
	return z.Zone.Records
}

func (z secondaryZone) retransfer() error {
	if err := z.secondary.Retransfer(z.Name); err != nil {
		return fmt.Errorf("%w: %w", control.ErrUnknownZone, err)
	}
	return nil
}

// addSecondary adds what a secondary does to a status.
func addSecondary(status *control.Status, s secondary.Status) {
	in := &status.TransfersIn
	in.Running, in.Done = s.Running, s.Transferred
	for r, n := range s.Failed {
		if n > 0 {
			if in.Failed == nil {
				in.Failed = make(map[string]uint64)
			}
			in.Failed[xfr.Reason(r).String()] = n
		}
	}
	status.Notifies.Received, status.Notifies.Ignored = s.NotifyAccepted, s.NotifyRefused
}
