package xfr

import (
	"fmt"
	"net/netip"

	"nullspf/internal/wire"
)

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
	// ReasonScope: a SOA record of another zone. Other records that are not in the
	// zone are left out.
	ReasonScope
	// ReasonIncomplete: the stream ends before the last SOA record.
	ReasonIncomplete
	// ReasonBackwards: the serial number is smaller than ours.
	ReasonBackwards
	// ReasonIXFR: differences do not fit our version.
	ReasonIXFR
	// ReasonLimit: too many records or bytes.
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

// TransferError says why a zone could not be refreshed.
type TransferError struct {
	Zone    wire.Name
	Primary netip.AddrPort
	Reason  Reason
	Err     error
}

// Error implements error.
func (e *TransferError) Error() string {
	return fmt.Sprintf("zone %s from %s: %s: %v", e.Zone.Text(), e.Primary, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *TransferError) Unwrap() error { return e.Err }

// fault returns an error without zone and primary.
func fault(reason Reason, format string, args ...any) error {
	return &TransferError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
