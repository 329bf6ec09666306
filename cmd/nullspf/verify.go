package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nullspf/internal/dnsname"
	"nullspf/internal/value"
	"nullspf/internal/verify"
	"nullspf/zones"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	servers     []string
	concurrency int
	timeout     time.Duration
	retries     int
	json        bool
	all         bool
	delegationFlags
}

// most is how many zones with equal deviations are named.
func (f *verifyFlags) most(all int) int {
	if f.all {
		return all
	}
	return 10
}

func (a *app) verifyCommand() *cobra.Command {
	f := &verifyFlags{}
	c := &cobra.Command{
		Use:   "verify [NAME|GROUP...]",
		Short: "Verify that the nameservers serve every zone as planned",
		Long: `Asks the nameservers about every domain on the lists: is the zone served
authoritatively, with the serial number of the manifest, the same everywhere, and
are its NS, MX, SPF and DMARC records as planned? Deviations are shown as a
table, in which zones with equal deviations share an entry. With arguments, asks
about these domains and the domains of these groups only.

The servers are the primary and the secondaries of the configuration, or those
given with --server. The exit status is 1 when there are deviations or a server
did not answer. The result of a run about all zones is kept in the file verified.json of the
output directory, where nullspf web finds it.

With --delegation, goes down from the root servers and asks the servers of the
parents: is the domain delegated, to the planned nameservers, with the addresses
that these have, are those authoritative, and do the DS records fit the keys? With
--registered, reports the domains of a registrar's list that are on no list.`,
		Example: `  # Ask all nameservers of the configuration.
  $ nullspf verify
  3 of 3 zones checked at 2 servers, 0 deviations
  192.0.2.1:53: 3 zones checked, 0 without an answer, 0 deviations
  192.0.2.2:53: 3 zones checked, 0 without an answer, 0 deviations

  # Ask one server, on a slow network.
  $ nullspf verify --server 192.0.2.2 --timeout 5s --retries 5

  # Ask the parents, here those of a root server of a test network, and name the
  # registered domains that are not published.
  $ nullspf verify --delegation --root 127.0.0.10 --registered registered.txt || test $? = 1
  brand-new.example
      registered  the domain is registered and on no list
  3 of 3 zones checked at 1 parent, 1 deviation`,
		ValidArgsFunction: a.selectable,
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(c); err != nil {
				return err
			}
			if f.on {
				return a.verifyDelegation(c.Context(), c.OutOrStdout(), f, args)
			}
			return a.verify(c.Context(), c.OutOrStdout(), f, args)
		},
	}
	c.Flags().StringVarP(&a.output, "output", "o", "", "use the manifest in the directory `DIR` instead of that in the output directory")
	completeFlag(c, "output", directories)
	c.Flags().StringArrayVar(&f.servers, "server", nil, "ask the server at `ADDRESS` or host name, with an optional port, instead; may be repeated")
	completeFlag(c, "server", a.configured(serversOf))
	c.Flags().IntVar(&f.concurrency, "concurrency", verify.DefaultConcurrency, "send at most `N` queries at a time")
	c.Flags().DurationVar(&f.timeout, "timeout", verify.DefaultTimeout, "wait `TIME` for an answer")
	c.Flags().IntVar(&f.retries, "retries", verify.DefaultRetries, "repeat a query `N` times when there is no answer")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON, with every zone by itself")
	f.add(c)
	c.Flags().BoolVar(&f.all, "all", false, "name all zones with equal deviations instead of the first ten")
	return c
}

func (a *app) verify(ctx context.Context, w io.Writer, f *verifyFlags, args []string) error {
	j, err := a.read()
	if err != nil {
		return err
	}
	only, err := newSelection(j.set, j.Groups, nil, args)
	if err != nil {
		return err
	}
	servers, err := f.addresses(ctx, j)
	if err != nil {
		return err
	}
	serials, err := zones.ReadSerials(j.Output)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no manifest; run nullspf zones first", j.Output)
	}
	if err != nil {
		return err
	}
	bar := newProgress("zones")
	settings := verify.Settings{
		Servers: servers, Concurrency: f.concurrency, Timeout: f.timeout, Retries: f.retries,
		SignedSerials: j.Named.DNSSEC, Progress: bar.set,
	}
	// A server that refuses everything gives a finding for every domain.
	const most = 100_000
	var findings []verify.Finding
	summary, err := verify.Run(ctx, settings, only.of(j.set), serials, func(found verify.Finding) {
		if f.json || len(findings) < most {
			findings = append(findings, found)
		}
	})
	bar.done()
	if err != nil {
		return err
	}
	// What was asked about all zones is kept for nullspf web.
	if len(args) == 0 {
		if err := verify.WriteLast(j.Output, clock(), summary, findings); err != nil {
			warn("the result cannot be kept: %v", err)
		}
	}
	if f.json {
		err = verify.WriteJSON(w, summary, findings)
	} else {
		color := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
		if err = verify.WriteTable(w, findings, f.most(len(findings)), color); err == nil {
			if more := summary.Findings - len(findings); more > 0 {
				fmt.Fprintf(w, "and %d more; --json shows them all\n", more)
			}
			_, err = fmt.Fprint(w, summary)
		}
	}
	if err != nil {
		return err
	}
	if summary.Findings > 0 || summary.Unanswered > 0 {
		return statusError(exitError)
	}
	return nil
}

// addresses are the servers to ask.
func (f *verifyFlags) addresses(ctx context.Context, j *job) ([]netip.AddrPort, error) {
	var list []netip.AddrPort
	for _, text := range f.servers {
		found, err := serverAddresses(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("--server: %w", err)
		}
		list = append(list, found...)
	}
	if len(list) > 0 {
		return list, nil
	}
	list = append(append(list, j.Named.Primary.Addresses...), j.Secondaries...)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s gives no addresses of nameservers; set primary.addresses or use --server", value.Visible(j.File))
	}
	return list, nil
}

// serverAddresses reads an address, or looks up all addresses of a host name; both
// may have a port.
func serverAddresses(ctx context.Context, text string) ([]netip.AddrPort, error) {
	e, err := value.ParseEndpoint(text)
	if err == nil {
		return []netip.AddrPort{e}, nil
	}
	host, portText, hasPort := strings.Cut(text, ":")
	name, nameErr := dnsname.ParseHost(host)
	port := uint16(53)
	if hasPort {
		n, portErr := strconv.ParseUint(portText, 10, 16)
		if portErr != nil || n == 0 {
			return nil, err
		}
		port = uint16(n)
	}
	if nameErr != nil || strings.Trim(name.Top(), "0123456789") == "" {
		return nil, err
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", string(name))
	if err != nil {
		return nil, fmt.Errorf("cannot look up %s: %w", name, err)
	}
	list := make([]netip.AddrPort, len(found))
	for i, a := range found {
		list[i] = netip.AddrPortFrom(a.Unmap(), port)
	}
	return list, nil
}
