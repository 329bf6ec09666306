package control

import (
	"context"
	"errors"
	"io"
)

// Daemon is a nameserver that can be asked and told. Its methods are called
// from several goroutines. They return the errors of this package, or others,
// whose text is shown to the operator.
type Daemon interface {
	Status(ctx context.Context) (*Status, error)
	// Zones calls yield for every zone until that returns an error, which it
	// returns. The zone is valid until yield returns. Order is that of the
	// daemon; no lock that answers wait for is held meanwhile.
	Zones(ctx context.Context, yield func(*Zone) error) error
	// Zone returns [ErrUnknownZone] for what is not served.
	Zone(ctx context.Context, name string) (*ZoneDetail, error)
	// ZoneText writes a zone in the form of a zone file (RFC 1035 section 5).
	ZoneText(ctx context.Context, name string, w io.Writer) error
	// Reload returns when the new configuration is served, or why it is not.
	Reload(ctx context.Context) error
	// Retransfer has a zone of a secondary transferred whole, whatever its
	// serial number. It does not wait for the transfer.
	Retransfer(ctx context.Context, name string) error
	// Notify sends notifications of a zone (RFC 1996), whether it has changed
	// or not. It does not wait for answers.
	Notify(ctx context.Context, name string) error
}

// Errors of a [Daemon], also as the [Client] returns them.
var (
	// ErrUnknownZone: the server does not serve the zone.
	ErrUnknownZone = errors.New("the server has no such zone")
	// ErrNotApplicable: the request does not fit the zone. It is wrapped with
	// the reason.
	ErrNotApplicable = errors.New("this cannot be done")
)
