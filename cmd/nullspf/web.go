package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/net/netutil"

	"nullspf/internal/geoip"
	"nullspf/internal/reverse"
	"nullspf/internal/value"
	"nullspf/internal/version"
	"nullspf/internal/web"
)

const (
	// webAddress is where the pages are unless told otherwise.
	webAddress = "127.0.0.1:8480"
	// webConnections may be open at once.
	webConnections = 256
)

func (a *app) webCommand() *cobra.Command {
	f := &logFlags{}
	var listen string
	var sockets []string
	c := &cobra.Command{
		Use:   "web",
		Short: "Show the forgery log, the zones and the servers as web pages",
		Long: `Serves pages that show the forgery log: attempts over time, who forges which domains, the
newest events, events as they come; the zones and the running servers. The same numbers
are at /api/v1 as JSON and CSV; /api/v1/openapi.json describes it.

The pages can be read by whoever can connect, so the address is one of this machine only.
From elsewhere, go through ssh: ssh -L 8480:127.0.0.1:8480 ns1.example.net. Nothing can be
changed. The pages ask nothing of the Internet; a name of a client is looked up in the DNS only
when a viewer asks for it.`,
		Example: `  # Pages about the journals of the configuration, at http://127.0.0.1:8480/
  $ nullspf web

  # Pages about copies of the journals of two nameservers, at another port.
  $ nullspf web --listen 127.0.0.1:9000 --journal ns1/var --journal ns2/var`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := value.ParseAddrPort(listen)
			if err != nil {
				return fmt.Errorf("--listen: %w", err)
			}
			if !at.Addr().IsLoopback() {
				return fmt.Errorf("--listen: %s can be reached from elsewhere, and the pages have no login; use an address of this machine, such as %s, and ssh -L to look from elsewhere", at, webAddress)
			}
			return a.web(c, f, at, sockets)
		},
	}
	c.Flags().StringArrayVar(&f.journals, "journal", nil, "show the journal directory `DIR` instead of those of the configuration; may be repeated")
	c.Flags().StringVar(&listen, "listen", webAddress, "serve at `ADDRESS:PORT`, an address of this machine")
	c.Flags().StringArrayVar(&sockets, "socket", nil, "show nullspfd at the control socket `PATH`; may be repeated")
	completeFlag(c, "journal", directories)
	completeFlag(c, "socket", files)
	return c
}

func (a *app) web(c *cobra.Command, f *logFlags, at netip.AddrPort, sockets []string) error {
	engine, err := a.forgeryLog(c, f)
	if err != nil {
		return err
	}
	s := web.Settings{
		Engine: engine, Version: version.String(), Sockets: sockets, Reverse: reverse.New(&net.Resolver{PreferGo: true}),
		Logger: zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.DateTime, NoColor: true}).With().Timestamp().Logger(),
	}
	if conf, err := a.load(); err == nil {
		s.Output = conf.Output
		s.Places, s.Tiers = geoip.New(conf.GeoIP.AS, conf.GeoIP.Country), a.tiersOf(c, f)
		s.System, s.Country = conf.GeoIP.AS != "", conf.GeoIP.Country != ""
		if socket := conf.Named.Nullspfd.Control; len(sockets) == 0 && socket != "" {
			s.Sockets = []string{socket}
		}
	}
	pages, err := web.New(s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", at.String())
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "http://%s/\n", listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(c.Context(), listener, pages)
}

// serve answers until ctx is done.
func serve(ctx context.Context, listener net.Listener, pages http.Handler) error {
	server := &http.Server{
		Handler: pages, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(listener, webConnections)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
