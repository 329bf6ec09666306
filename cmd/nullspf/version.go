package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"nullspf/internal/version"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Prints the version of the program. The version of a build from a commit that is
not a release ends with the time and the revision of the commit, after a plus
sign.`,
		Example: `  $ nullspf version
  nullspf 0.1.0`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "nullspf", version.String())
			return err
		},
	}
}
