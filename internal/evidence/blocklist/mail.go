package blocklist

import (
	"bufio"
	"fmt"
	"strings"
)

// sendmailKey has the four groups of a /64 without leading zeros: sendmail looks for
// whole groups, and never for "::".
func sendmailKey(e *Entry) string {
	a := e.Prefix.Addr()
	if a.Is4() {
		return "Connect:" + a.String()
	}
	b := a.As16()
	var groups []string
	for i := 0; i < 8; i += 2 {
		groups = append(groups, fmt.Sprintf("%x", int(b[i])<<8|int(b[i+1])))
	}
	return "Connect:IPv6:" + strings.Join(groups, ":")
}

func writeSendmail(w *bufio.Writer, l *List) {
	for i := range l.Entries {
		e := &l.Entries[i]
		fmt.Fprintf(w, "%s\tERROR:5.7.1:550 This address %s\n", sendmailKey(e), e.Reason())
	}
}

func writePostfix(w *bufio.Writer, l *List) {
	for i := range l.Entries {
		e := &l.Entries[i]
		fmt.Fprintf(w, "%s REJECT This address %s\n", e.address(), e.Reason())
	}
}

// writeRspamd puts reasons behind a #: anything else behind an address loses the entry,
// or is its factor.
func writeRspamd(w *bufio.Writer, l *List) {
	for i := range l.Entries {
		e := &l.Entries[i]
		fmt.Fprintf(w, "%s # %s\n", e.address(), e.Reason())
	}
}

func writeHAProxy(w *bufio.Writer, l *List) {
	for i := range l.Entries {
		e := &l.Entries[i]
		fmt.Fprintf(w, "%s %s\n", e.address(), e.Reason())
	}
}
