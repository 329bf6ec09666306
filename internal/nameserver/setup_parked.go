package nameserver

import (
	"fmt"

	"github.com/coredns/caddy"

	"nullspf/internal/zonestore"
)

// parked DIR
func (f *corefile) setupParked(c *caddy.Controller) error {
	b := f.block(c)
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf(`parked needs one folder, the output of "nullspf zones"`)
		}
		b.Parked = true
		b.stored = append(b.stored, "parked")
		return setGlobal(f, c, "parked", &f.config.Parked, &Parked{Dir: args[0]})
	})
}

// loadParked loads the parked zones once all of the configuration is read.
func (f *corefile) loadParked() error {
	p := f.config.Parked
	if p == nil {
		return nil
	}
	zones, err := zonestore.LoadParked(p.Dir)
	if err != nil {
		return fmt.Errorf("%s - parked: %w", f.global["parked"], err)
	}
	p.Zones = zones
	return nil
}
