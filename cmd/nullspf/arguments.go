package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

var errNoArguments = errors.New("this command takes no arguments")

// noArguments refuses arguments. Where there are commands below, they were meant.
func noArguments(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !c.HasAvailableSubCommands():
		return fmt.Errorf("%w, not %q; see %s --help", errNoArguments, args[0], c.CommandPath())
	}
	but := ""
	c.SuggestionsMinimumDistance = 2
	if names := c.SuggestionsFor(args[0]); len(names) > 0 {
		but = ", but " + strings.Join(names, ", ")
	}
	return fmt.Errorf("%s has no command %q%s; see %s --help", c.CommandPath(), args[0], but, c.CommandPath())
}

// arguments wants so many arguments.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		few := ""
		switch {
		case len(args) < least:
			few = "few"
		case len(args) > most:
			few = "many"
		default:
			return nil
		}
		return fmt.Errorf("too %s arguments: %s; see %s --help", few, c.UseLine(), c.CommandPath())
	}
}
