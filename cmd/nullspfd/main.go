// Command nullspfd is an authoritative nameserver. It serves the zones that
// nullspf publishes, as primary or as secondary, and tracking zones: there it
// answers what SPF checks ask for, and records each query.
//
//	nullspfd -conf FILE           serve
//	nullspfd -conf FILE -check    check the configuration and exit
//	nullspfd -version
//
// SIGHUP, SIGUSR1 and "nullspf server reload" reload the configuration, SIGTERM
// and SIGINT stop. It logs to standard error: for people on a terminal, else one
// JSON object a line. It exits with 0 when it was stopped or the check found
// nothing, with 1 on errors, with 2 on wrong usage.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/rs/zerolog"

	"nullspf/internal/corefile"
	"nullspf/internal/loglimit"
	"nullspf/internal/nameserver"
	"nullspf/internal/version"
)

// gcPercent is how much garbage may pile up beside what is in use, in percent, unless
// GOGC says so. Answers make none, and half of Go's default costs the rest nothing that
// could be measured.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("nullspfd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	conf := flags.String("conf", "Corefile", "read the configuration from `FILE`")
	check := flags.Bool("check", false, "check the configuration and exit")
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "nullspfd: unexpected argument %q; a configuration is named with -conf FILE\n", flags.Arg(0))
		return 2
	}
	if *showVersion {
		fmt.Fprintln(stdout, "nullspfd", version.String())
		return 0
	}

	logger := newLogger(stderr, isTerminal(stderr))
	logger = logger.Hook(loglimit.New(logger))
	stdlog.SetFlags(0)
	stdlog.SetOutput(standardLog{logger})
	load := func() (*nameserver.Config, error) { return corefile.Load(*conf) }
	// Signals that come early must wait, not kill. Of several reloads that
	// wait one is enough; none may crowd out the order to stop.
	reload, stop := make(chan os.Signal, 1), make(chan os.Signal, 1)
	if !*check {
		signal.Notify(reload, syscall.SIGHUP, syscall.SIGUSR1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	}
	config, err := load()
	if err == nil && *check {
		err = nameserver.Check(config)
	}
	switch nothing := errors.Is(err, corefile.ErrNothing); {
	case nothing && *check:
		fmt.Fprintln(stdout, err)
		return 0
	case nothing:
		logger.Warn().Err(err).Msg("nothing to serve yet; edit the configuration, then reload with SIGHUP")
		if config = await(load, reload, stop, logger); config == nil {
			return 0
		}
	case err != nil:
		logger.Error().Err(err).Msg("the configuration has an error; nullspfd does not start")
		return 1
	case *check:
		fmt.Fprintf(stdout, "%s: ok\n", *conf)
		return 0
	}

	server, err := nameserver.Start(config, nameserver.Options{
		Logger:  logger,
		Version: version.String(),
		Workers: nameserver.ClaimProcessors(),
		Load:    load,
	})
	if err != nil {
		logger.Error().Err(err).Msg("cannot start")
		return 1
	}
	go func() {
		for range reload {
			_ = server.Reload(load) // logs and counts its error
		}
	}()
	// Stopping does not wait for a reload that reads.
	<-stop
	if err := server.Stop(); err != nil {
		logger.Error().Err(err).Msg("nullspfd did not stop cleanly")
		return 1
	}
	return 0
}

// await loads the configuration at each order to reload, until it serves
// something; it returns nil when the order to stop comes first.
func await(load func() (*nameserver.Config, error), reload, stop <-chan os.Signal, logger zerolog.Logger) *nameserver.Config {
	for {
		select {
		case <-reload:
			config, err := load()
			if err == nil {
				err = nameserver.Check(config)
			}
			if err == nil {
				return config
			}
			logger.Error().Err(err).Msg("reload failed; there is still nothing to serve")
		case <-stop:
			return nil
		}
	}
}
