package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	stdlog "log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/contain"
	"nullspf/internal/forgerylog"
	"nullspf/internal/geoip"
	"nullspf/internal/journal"
	"nullspf/internal/keypair"
	"nullspf/internal/loglimit"
	"nullspf/internal/reverse"
	"nullspf/internal/value"
	"nullspf/internal/version"
	"nullspf/internal/web"
)

// webConnections may be open at once; a further one takes the place of another.
const webConnections = 256

func (a *app) webCommand() *cobra.Command {
	f := &logFlags{}
	var listen string
	var sockets, metrics []string
	c := &cobra.Command{
		Use:   "web",
		Short: "Show the forgery log, the zones and the servers as web pages",
		Long: `Serves pages that show the forgery log: attempts over time, who forges which domains, the
newest events, events as they come; the zones and the running servers. The same numbers
are at /api/v1 as JSON and CSV, events and block lists as downloads; /api/v1/openapi.json describes
it. Nothing can be changed.

The pages can be read by whoever can connect, so the address is one of this machine only.
From elsewhere, go through ssh: ssh -L 8480:127.0.0.1:8480 ns1.example.net. At another
address they are served with TLS and a login only, or behind a proxy that says who a viewer is:
the keys web of the configuration. Some viewers may see pseudonyms in place of addresses and
local parts. Logins, and each download with its filters, are lines on standard error.

The pages ask nothing of the Internet but the servers that --metrics or web.metrics names; a
name of a client is looked up in the DNS only when a viewer asks for it.`,
		Example: `  # Pages about the journals of the configuration, at http://127.0.0.1:8480/
  $ nullspf web

  # Pages about copies of the journals of two nameservers, at another port.
  $ nullspf web --listen 127.0.0.1:9000 --journal ns1/var --journal ns2/var`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			var at netip.AddrPort
			if listen != "" {
				var err error
				if at, err = value.ParseAddrPort(listen); err != nil {
					return fmt.Errorf("--listen: %w", err)
				}
			}
			for i, text := range metrics {
				var err error
				if metrics[i], err = web.ParseMetrics(text); err != nil {
					return fmt.Errorf("--metrics: %w", err)
				}
			}
			if n := len(sockets) + len(metrics); n > web.MaxServers {
				return fmt.Errorf("%d servers are named; the pages ask up to %d", n, web.MaxServers)
			}
			return a.web(c, f, at, sockets, metrics)
		},
	}
	c.Flags().StringArrayVar(&f.journals, "journal", nil, "show the journal directory `DIR` instead of those of the configuration; may be repeated")
	c.Flags().StringVar(&listen, "listen", "", "serve at `ADDRESS:PORT` instead of web.listen of the configuration, by default "+web.DefaultListen.String())
	c.Flags().StringArrayVar(&sockets, "socket", nil, "show nullspfd at the control socket `PATH`; may be repeated")
	c.Flags().StringArrayVar(&metrics, "metrics", nil, "show nullspfd on another machine, whose metrics are at `URL`; may be repeated")
	completeFlag(c, "journal", directories)
	completeFlag(c, "socket", fileNames)
	c.AddCommand(webPasswdCommand())
	return c
}

func (a *app) web(c *cobra.Command, f *logFlags, at netip.AddrPort, sockets, metrics []string) error {
	s := web.Settings{Version: version.String(), Sockets: sockets, Metrics: metrics, Reverse: reverse.New(&net.Resolver{PreferGo: true}), Logger: webLogger(), Listen: at}
	users := newUserFile(a.configPath)
	conf, err := a.webConfig(c)
	if err != nil {
		return err
	}
	var pair *keypair.Pair
	if conf != nil {
		if pair, err = a.configureWeb(&s, conf); err != nil {
			return err
		}
	}
	if !s.Listen.IsValid() {
		s.Listen = web.DefaultListen
	}
	if err := s.Access.Check(s.Listen, pair != nil); err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	for _, dir := range f.journals {
		// Those of the configuration may come to be later; pages say so until then.
		if _, err := os.ReadDir(dir); err != nil {
			return fmt.Errorf("--journal: %w; name the directory that nullspfd.journal names", err)
		}
	}
	f.parsed = new(journal.Parsed)
	if s.Engine, err = a.forgeryLog(c, f); err != nil {
		return err
	}
	if conf != nil {
		s.Places, s.Tiers = geoip.New(conf.GeoIP.AS, conf.GeoIP.Country), a.tiersOf(c, f)
		s.BlockList = a.blockListOf(c, f)
		s.Why = a.whyOf(c, f)
	}
	pages, err := web.New(s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.Listen.String())
	if err != nil {
		return fmt.Errorf("cannot listen: %w; name another address with --listen or web.listen", err)
	}
	scheme := "http"
	if pair != nil {
		scheme = "https"
	}
	if conf != nil {
		go users.watch(c.Context(), pages.SetUsers, s.Logger)
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "%s://%s/\n", scheme, listener.Addr()); err != nil {
		return errors.Join(err, listener.Close())
	}
	yieldToServers()
	if journals, ok := s.Engine.(*forgerylog.Journals); ok {
		go contain.Run(func() error { journals.Prepare(c.Context()); return nil })
	}
	return serve(c.Context(), newFairListener(listener, webConnections, s.Access.Proxy.Has), pages, pair, s.Logger)
}

// webLogger writes lines on standard error; of warnings, which strangers can cause, no more
// than can be read.
func webLogger() zerolog.Logger {
	log := zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.DateTime, NoColor: true}).With().Timestamp().Logger()
	return log.Hook(loglimit.New(log))
}

// webConfig is the configuration, nil when there is none and none was named.
func (a *app) webConfig(c *cobra.Command) (*config.Config, error) {
	if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) && !c.Flags().Changed("config") {
		return nil, nil
	}
	return a.load()
}

// configureWeb takes what the configuration says, and returns the certificate, nil for none.
func (a *app) configureWeb(s *web.Settings, conf *config.Config) (pair *keypair.Pair, err error) {
	s.Output, s.Access = conf.Output, conf.Web.Access
	s.System, s.Country = conf.GeoIP.AS != "", conf.GeoIP.Country != ""
	if socket := conf.Named.Nullspfd.Control; len(s.Sockets) == 0 && socket != "" {
		s.Sockets = []string{socket}
	}
	if len(s.Metrics) == 0 {
		s.Metrics = conf.Web.Metrics
	}
	if !s.Listen.IsValid() {
		s.Listen = conf.Web.Listen
	}
	if conf.Web.PseudonymKey != "" {
		if s.PseudonymKey, err = web.OpenPseudonymKey(conf.Web.PseudonymKey); err != nil {
			return nil, fmt.Errorf("web.pseudonym_key: %w", err)
		}
	}
	if conf.Web.Certificate == "" {
		return nil, nil
	}
	if pair, err = keypair.Load(conf.Web.Certificate, conf.Web.Key); err != nil {
		return nil, fmt.Errorf("web.certificate: %w", err)
	}
	return pair, nil
}

// serve answers until ctx is done, with TLS when there is a certificate.
func serve(ctx context.Context, listener net.Listener, pages http.Handler, pair *keypair.Pair, log zerolog.Logger) error {
	server := &http.Server{
		Handler: pages, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 64},
		ErrorLog:    stdlog.New(connectionLog{log}, "", 0),
	}
	ended := make(chan error, 1)
	go func() {
		if pair == nil {
			ended <- server.Serve(listener)
			return
		}
		server.TLSConfig = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := pair.Get()
			if err != nil {
				log.Error().Err(err).Msg("the certificate cannot be read again; the one before is used")
			}
			return certificate, nil
		}}
		ended <- server.ServeTLS(listener, "", "")
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// connectionLog takes what net/http says about connections.
type connectionLog struct{ log zerolog.Logger }

func (l connectionLog) Write(line []byte) (int, error) {
	l.log.Warn().Str("reason", value.Visible(strings.TrimSpace(string(line)))).Msg("a connection failed")
	return len(line), nil
}
