package xfr

import (
	"fmt"
	"net/netip"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// Version is one version of a zone: a [zonestore.Zone], or a parked one.
type Version interface {
	// Serial returns the serial number.
	Serial() uint32
	// Records yields all records, the SOA first and only there. The record and
	// its data are valid until yield returns.
	Records(yield func(*wire.Record) bool)
}

// Difference is a version that knows how it differs from an earlier one without
// comparing all records.
type Difference interface {
	Version
	// Since returns the records that old has and this version has not, and
	// those that it has instead, the SOA first in both.
	Since(old Version) (removed, added func(yield func(*wire.Record) bool))
}

// Source finds the zones that can be transferred. It is used by many goroutines
// at once.
type Source interface {
	// Version returns the version of a zone that is served, nil when the zone
	// is none of ours or has nothing to serve.
	Version(zone wire.Name) Version
	// Earlier returns the version of a zone that had a serial number, nil when
	// it is not kept.
	Earlier(zone wire.Name, serial uint32) Version
}

var _ Version = (*zonestore.Zone)(nil)

// Key is a shared secret (RFC 8945).
type Key struct {
	Name wire.Name
	// Algorithm is one of [Algorithms].
	Algorithm wire.Name
	Secret    []byte
}

// Primary is a server from which zones are transferred.
type Primary struct {
	Addr netip.AddrPort
	// Local is the address to ask from; the zero Addr leaves it to the kernel.
	Local netip.Addr
	// Key signs all messages in both directions; nil is none.
	Key *Key
}

// Limits bound what one zone of a primary may cost.
type Limits struct {
	// Records and Octets are those of a zone.
	Records int
	Octets  int64
	// Time is that of a transfer, Idle that between two messages.
	Time, Idle time.Duration
}

// DefaultLimits are those of a configuration that says nothing.
var DefaultLimits = Limits{Records: 4_000_000, Octets: 256 << 20, Time: 30 * time.Minute, Idle: 30 * time.Second}

// Reason says why a transfer failed. Reasons are few and fixed: they are labels
// of metrics.
type Reason uint8

// The reasons.
const (
	// ReasonConnect: no connection, or it was closed before the answer.
	ReasonConnect Reason = iota
	// ReasonTimeout and ReasonIdle: the time for the transfer is over, or that
	// for the next message.
	ReasonTimeout
	ReasonIdle
	// ReasonRefused: an RCODE other than NOERROR.
	ReasonRefused
	// ReasonTSIG: a signature is missing or wrong.
	ReasonTSIG
	// ReasonFormat: a message or a record is malformed.
	ReasonFormat
	// ReasonQuestion: the answer has another ID or question.
	ReasonQuestion
	// ReasonScope: a record is out of the zone.
	ReasonScope
	// ReasonIncomplete: the stream ends before the last SOA record.
	ReasonIncomplete
	// ReasonBackwards: the serial number is smaller than ours.
	ReasonBackwards
	// ReasonIXFR: differences do not fit our version.
	ReasonIXFR
	// ReasonLimit: too many records or octets.
	ReasonLimit
	// ReasonZone: the records make no zone.
	ReasonZone
	// ReasonOther: anything else, such as a stop.
	ReasonOther

	// NumReasons is the number of reasons.
	NumReasons
)

var reasonNames = [NumReasons]string{
	"connect", "timeout", "idle", "refused", "tsig", "format", "question", "scope",
	"incomplete", "backwards", "ixfr", "limit", "zone", "other",
}

// String returns the label of the reason.
func (r Reason) String() string { return reasonNames[r] }

// TransferError says why a zone could not be brought up to date.
type TransferError struct {
	Zone    wire.Name
	Primary netip.AddrPort
	Reason  Reason
	Err     error
}

// Error implements error.
func (e *TransferError) Error() string {
	return fmt.Sprintf("zone %s from %s: %s: %v", e.Zone, e.Primary, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *TransferError) Unwrap() error { return e.Err }
