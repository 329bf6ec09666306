package nameserver

import (
	"context"
	"fmt"
	"io"
	"os"

	"nullspf/internal/control"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// daemon is a server as the control socket sees it.
type daemon struct{ *Server }

// Status implements [control.Daemon].
func (d daemon) Status(context.Context) (*control.Status, error) {
	now := d.serving.Load()
	status := &control.Status{
		Version:      d.options.Version,
		PID:          os.Getpid(),
		Started:      d.started.UTC(),
		Config:       now.config.Path,
		Listen:       now.addresses(),
		Problems:     d.Health().Problems,
		Reloads:      control.Reloads{Done: d.reloads.Load(), Failed: d.failedReloads.Load()},
		TransfersOut: d.served.status(),
	}
	n := d.notifier.Counts()
	status.Notifies.Sent, status.Notifies.Acknowledged = n.Sent, n.Answered
	status.Notifies.Refused, status.Notifies.Failed = n.Refused, n.Failed+n.Dropped
	if reason := d.lastFailure.Load(); reason != nil {
		status.Reloads.Error = *reason
	}
	addSecondary(status, d.secondary.Status())
	for _, source := range d.sources() {
		status.Zones = append(status.Zones, source.count()...)
	}
	return status, nil
}

// Reload implements [control.Daemon].
func (d daemon) Reload(context.Context) error {
	if d.options.Load == nil {
		return fmt.Errorf("%w: this server has no configuration file", control.ErrNotApplicable)
	}
	return d.Server.Reload(d.options.Load)
}

// zoneSource are zones of one origin.
type zoneSource interface {
	// count returns the zones by state, one entry a kind that occurs.
	count() []control.ZoneCount
	// each yields all zones, until yield fails.
	each(yield func(*control.Zone) error) error
	// zone returns a zone, nil when it has none of that name.
	zone(name wire.Name) controlledZone
}

// controlledZone is a zone that is asked about.
type controlledZone interface {
	apex() wire.Name
	detail() *control.ZoneDetail
	// records yields all records, the SOA first; it is nil while there are none.
	records() func(yield func(*wire.Record) bool)
	// retransfer has the zone transferred whole.
	retransfer() error
}

// sources are all zones that are served.
func (d daemon) sources() []zoneSource {
	now := d.serving.Load()
	list := []zoneSource{trackingZones{now.config}, listZones{now.config, d.lists}}
	if now.parked != nil {
		list = append(list, parkedZones{now.parked})
	}
	return append(list, secondaryZones{d.secondary})
}

// find returns the zone of a name in presentation form.
func (d daemon) find(name string) (controlledZone, error) {
	n, err := wire.ParseName(name)
	if err != nil {
		return nil, control.ErrUnknownZone
	}
	for _, source := range d.sources() {
		if z := source.zone(n); z != nil {
			return z, nil
		}
	}
	return nil, control.ErrUnknownZone
}

// Zones implements [control.Daemon].
func (d daemon) Zones(_ context.Context, yield func(*control.Zone) error) error {
	for _, source := range d.sources() {
		if err := source.each(yield); err != nil {
			return err
		}
	}
	return nil
}

// Zone implements [control.Daemon].
func (d daemon) Zone(_ context.Context, name string) (*control.ZoneDetail, error) {
	z, err := d.find(name)
	if err != nil {
		return nil, err
	}
	detail := z.detail()
	if d.source().Version(z.apex()) != nil {
		for _, t := range d.serving.Load().config.notifyTargets() {
			detail.Secondaries = append(detail.Secondaries, t.Addr.String())
		}
	}
	return detail, nil
}

// ZoneText implements [control.Daemon].
func (d daemon) ZoneText(_ context.Context, name string, w io.Writer) error {
	z, err := d.find(name)
	if err != nil {
		return err
	}
	records := z.records()
	if records == nil {
		return fmt.Errorf("%w: there is no version of %s to show", control.ErrNotApplicable, name)
	}
	return zonestore.WriteText(w, records)
}

// Retransfer implements [control.Daemon].
func (d daemon) Retransfer(_ context.Context, name string) error {
	z, err := d.find(name)
	if err != nil {
		return err
	}
	return z.retransfer()
}

// Notify implements [control.Daemon].
func (d daemon) Notify(_ context.Context, name string) error {
	z, err := d.find(name)
	switch {
	case err != nil:
		return err
	case d.source().Version(z.apex()) == nil:
		return fmt.Errorf("%w: there is no version of %s to transfer", control.ErrNotApplicable, name)
	case len(d.serving.Load().config.notifyTargets()) == 0:
		return fmt.Errorf("%w: nobody is to be notified; name the secondaries in a transfer directive, with notify", control.ErrNotApplicable)
	}
	d.notifier.Notify([]wire.Name{z.apex()})
	return nil
}

// status counts requests for transfers as the control socket shows them: one
// whose client was up to date is done.
func (s *servedTransfers) status() control.Transfers {
	t := control.Transfers{Failed: make(map[string]uint64)}
	for i := range s {
		n, served := s[i].Load(), xfr.Served(i)
		switch served {
		case xfr.ServedAXFR, xfr.ServedIXFR, xfr.ServedSOA:
			t.Done += n
		default:
			t.Failed[served.String()] = n
		}
	}
	return t
}

// errNotTransferred refuses a transfer of what has no primary.
func errNotTransferred(kind control.Kind) error {
	return fmt.Errorf("%w: this is a %s zone, which has no primary; reload reads it again", control.ErrNotApplicable, kind)
}

// countRecords counts what records yields.
func countRecords(records func(yield func(*wire.Record) bool)) (n int) {
	for range records {
		n++
	}
	return n
}
