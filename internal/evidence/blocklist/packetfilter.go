package blocklist

import (
	"bufio"
	"fmt"
	"time"
)

// sets are those of packet filters, one for each family.
var sets = []struct {
	name, nft, flags, ipset string
	has                     func(*Entry) bool
}{
	{"forgers4", "ipv4_addr", "timeout", "inet", func(e *Entry) bool { return e.Prefix.Addr().Is4() }},
	{"forgers6", "ipv6_addr", "interval, timeout", "inet6", func(e *Entry) bool { return e.Prefix.Addr().Is6() }},
}

// writeNftables fills the sets of the table nullspf anew in one transaction. Whatever
// else is in the table stays, such as rules that use the sets.
func writeNftables(w *bufio.Writer, l *List) {
	for _, s := range sets {
		fmt.Fprintf(w, "add table inet nullspf\nadd set inet nullspf %s { type %s; flags %s; }\nflush set inet nullspf %s\n", s.name, s.nft, s.flags, s.name)
		begun := false
		for i := range l.Entries {
			e := &l.Entries[i]
			if !s.has(e) {
				continue
			}
			if !begun {
				fmt.Fprintf(w, "add element inet nullspf %s {\n", s.name)
				begun = true
			}
			fmt.Fprintf(w, "\t%s timeout %ds comment \"%s\",\n", e.address(), l.left(e)/time.Second, e.Reason())
		}
		if begun {
			w.WriteString("}\n")
		}
	}
}

// maxIPSetTimeout is the longest that ipset takes, in seconds.
const maxIPSetTimeout = 2147483

// writeIPSet fills sets of another name, and swaps them.
func writeIPSet(w *bufio.Writer, l *List) {
	for _, s := range sets {
		const options = "maxelem 1048576 timeout 0 comment"
		for _, name := range []string{s.name, s.name + "-new"} {
			fmt.Fprintf(w, "create -exist %s hash:net family %s %s\n", name, s.ipset, options)
		}
		fmt.Fprintf(w, "flush %s-new\n", s.name)
		for i := range l.Entries {
			if e := &l.Entries[i]; s.has(e) {
				fmt.Fprintf(w, "add %s-new %s timeout %d comment \"%s\"\n", s.name, e.address(), min(int64(l.left(e)/time.Second), maxIPSetTimeout), e.Reason())
			}
		}
		fmt.Fprintf(w, "swap %s-new %s\ndestroy %s-new\n", s.name, s.name, s.name)
	}
}
