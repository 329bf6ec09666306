package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"nullspf/internal/control"
)

// defaultSocket is where the systemd unit in examples puts the socket.
const defaultSocket = "/run/nullspf/control.sock"

func (a *app) serverCommand() *cobra.Command {
	f := &serverFlags{}
	c := &cobra.Command{
		Use:   "server",
		Short: "Show and control a running nullspfd",
		Long: `Controls the nullspfd of this machine at its unix socket, which the directive
control of its Corefile creates. The user who runs nullspfd and the members of
its group can use it.

The socket is the one given with --socket; else that of the key
nullspfd.control, when there is a configuration with it; else
` + defaultSocket + `.`,
		Example: `  # Is everything in order?
  $ nullspf server status
  $ nullspf server zones --failing

  # Ask at another socket.
  $ nullspf server status --socket /run/nullspf/control.sock`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&f.socket, "socket", "", "use the socket `PATH` instead of that of the configuration")
	completeFlag(c, "socket", fileNames)
	c.AddCommand(
		a.serverStatusCommand(f), a.serverZonesCommand(f), a.serverZoneCommand(f),
		a.serverReloadCommand(f), a.serverRetransferCommand(f), a.serverNotifyCommand(f),
	)
	return c
}

// serverFlags are the flags of the commands below server.
type serverFlags struct {
	socket string
	json   bool
}

func (f *serverFlags) addJSON(c *cobra.Command) {
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// client connects to the socket that is to be asked.
func (a *app) client(c *cobra.Command, f *serverFlags) (*control.Client, error) {
	if f.socket != "" {
		return control.NewClient(f.socket), nil
	}
	if !c.Flags().Changed("config") {
		if _, err := os.Stat(a.configPath); errors.Is(err, fs.ErrNotExist) {
			return control.NewClient(defaultSocket), nil
		}
	}
	conf, err := a.load()
	if err != nil {
		return nil, fmt.Errorf("%w\nor name the socket with --socket", err)
	}
	if conf.Named.Nullspfd.Control == "" {
		return control.NewClient(defaultSocket), nil
	}
	return control.NewClient(conf.Named.Nullspfd.Control), nil
}

// ask makes a request and explains its failure.
func (a *app) ask(c *cobra.Command, f *serverFlags, request func(ctx context.Context, client *control.Client) error) error {
	client, err := a.client(c, f)
	if err != nil {
		return err
	}
	defer client.Close()
	err = request(c.Context(), client)
	if errors.Is(err, control.ErrUnknownZone) {
		return fmt.Errorf("%w; nullspf server zones lists what it has", err)
	}
	return err
}

// oneZone takes the name of a zone as the only argument.
func oneZone(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("name one zone: %s", c.UseLine())
	}
	return nil
}

func (a *app) serverReloadCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Reload the configuration and the parked zones",
		Long: `Reloads the Corefile, the files that it names and the parked zones, and waits
until they are in effect. No query is lost. When something is wrong, nullspfd
keeps its present configuration, the reason is printed and the exit status is 1.`,
		Example: `  $ nullspf server reload
  reloaded`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				if err := client.Reload(ctx); errors.As(err, new(*control.SocketError)) || errors.Is(err, context.Canceled) {
					return err
				} else if err != nil {
					return fmt.Errorf("nullspfd goes on with its present configuration: %w", err)
				}
				_, err := fmt.Fprintln(c.OutOrStdout(), "reloaded")
				return err
			})
		},
	}
}

func (a *app) serverRetransferCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "retransfer ZONE",
		Short: "Transfer a zone from its primary again",
		Long: `Transfers a secondary zone again as a whole, whatever its serial number. The
command does not wait for the transfer: "nullspf server zone ZONE" shows the
outcome. The present version is served until the new one is complete.`,
		Example: `  $ nullspf server retransfer brand.example
  brand.example: the transfer is scheduled`,
		Args:              oneZone,
		ValidArgsFunction: argument(0, a.publishedNames),
		RunE: func(c *cobra.Command, args []string) error {
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				if err := client.Retransfer(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s: the transfer is scheduled\n", args[0])
				return err
			})
		},
	}
}

func (a *app) serverNotifyCommand(f *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "notify ZONE",
		Short: "Notify the secondaries of a zone",
		Long: `Sends notifications of a zone (RFC 1996) to its secondaries, as after a change.
The command does not wait for their answers: "nullspf server status" counts them,
and the log names secondaries that do not answer.`,
		Example: `  $ nullspf server notify brand.example
  brand.example: the notifications are scheduled`,
		Args:              oneZone,
		ValidArgsFunction: argument(0, a.publishedNames),
		RunE: func(c *cobra.Command, args []string) error {
			return a.ask(c, f, func(ctx context.Context, client *control.Client) error {
				if err := client.Notify(ctx, args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s: the notifications are scheduled\n", args[0])
				return err
			})
		},
	}
}
