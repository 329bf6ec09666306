package zones

import (
	"fmt"
	"strings"

	"nullspf/internal/value"
)

// maxErrors is how many faults of the lists are reported at once.
const maxErrors = 50

// ListError is one fault in a list file.
type ListError struct {
	File string
	// Line and Column count from 1, columns in characters. Line 0 means the
	// file as a whole, column 0 the line as a whole.
	Line, Column int
	// Token is the text at fault, cut to a length fit for a message.
	Token  string
	Reason string
}

// Error gives file:line:column, the quoted token and the reason.
func (e *ListError) Error() string {
	var b strings.Builder
	b.WriteString(value.Visible(e.File))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	b.WriteString(": ")
	if e.Token != "" {
		fmt.Fprintf(&b, "%q: ", e.Token)
	}
	b.WriteString(e.Reason)
	return b.String()
}

// ListErrors holds all faults of the lists of a set, at most maxErrors of
// them.
type ListErrors struct {
	Faults []*ListError
	// More counts the faults that were found beyond Faults.
	More int
}

// Error gives a line a fault.
func (e *ListErrors) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.More)
	}
	return b.String()
}

func (e *ListErrors) add(f *ListError) {
	if len(e.Faults) >= maxErrors {
		e.More++
		return
	}
	f.Token = shorten(f.Token)
	e.Faults = append(e.Faults, f)
}

// orNil returns e as an error, nil when nothing was found.
func (e *ListErrors) orNil() error {
	if len(e.Faults) == 0 {
		return nil
	}
	return e
}

// shorten cuts a token to a length that fits a line.
func shorten(s string) string {
	const limit = 60
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
