package nolisting

import "strings"

// Violation is one rule that an MX RRset breaks.
type Violation struct {
	// Host is the name of the host at fault, in a form that is safe to print;
	// "" when the fault is not that of one host.
	Host string
	// Fault says what is wrong.
	Fault string
	// Why says why the rule exists.
	Why string
	// Remedy says what to do.
	Remedy string
}

// Error returns all of this on one line.
func (v *Violation) Error() string {
	var b strings.Builder
	if v.Host != "" {
		b.WriteString("host " + v.Host + ": ")
	}
	b.WriteString(v.Fault + ": " + v.Why + "; " + v.Remedy)
	return b.String()
}
