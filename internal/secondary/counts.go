package secondary

import (
	"sync/atomic"

	"nullspf/internal/xfr"
)

// counts count what happens.
type counts struct {
	transferred, unchanged        atomic.Uint64
	outside                       atomic.Uint64
	failures                      [xfr.NumReasons]atomic.Uint64
	notifyAccepted, notifyRefused atomic.Uint64
	storeErrors, catalogErrors    atomic.Uint64
}

func (c *counts) failed(err error) {
	c.failures[reasonOf(err)].Add(1)
}
