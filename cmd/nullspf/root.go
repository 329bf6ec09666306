package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/mailmaps"
	"nullspf/internal/value"
	"nullspf/internal/version"
	"nullspf/named"
	"nullspf/zones"
)

// app is what all commands share.
type app struct {
	configPath string
	output     string
	relative   bool
	// quiet keeps warnings about the configuration back.
	quiet bool
}

func rootCommand() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "nullspf",
		Short: "Publish and watch domains that send no mail",
		Long: `nullspf is for owners of domains that send no mail. From lists of names it
writes zone files, nameserver configurations and mail tables, reloads the
running servers, and verifies what they answer.

Start with "nullspf init", then "nullspf zones".`,
		Example: `  # Begin in an empty directory, and look at what would be written.
  $ nullspf init site
  $ cd site && nullspf zones && nullspf check`,
		Version:       version.String(),
		Args:          noArguments,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("nullspf {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", "nullspf.yaml", "configuration `FILE`")
	completeFlag(root, "config", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return []cobra.Completion{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
	})
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		a.initCommand(), importCommand(), a.zonesCommand(), a.planCommand(), a.applyCommand(),
		a.checkCommand(), a.verifyCommand(), a.spfCommand(), a.logCommand(), a.webCommand(), a.serverCommand(), a.nolistingCommand(),
		versionCommand(), manCommand(),
	)
	return root
}

// addOutputFlags adds the flags of the commands that build or look at what was
// built.
func (a *app) addOutputFlags(c *cobra.Command) {
	c.Flags().StringVarP(&a.output, "output", "o", "", "use the output directory `DIR` instead of that of the configuration")
	completeFlag(c, "output", directories)
	c.Flags().BoolVar(&a.relative, "relative", false, "write file names relative to the output directory into the server configurations")
}

// load reads the configuration and applies the flags.
func (a *app) load() (*config.Config, error) {
	c, err := config.Load(a.configPath)
	if err != nil {
		return nil, err
	}
	if a.output != "" {
		if err := c.SetOutput(a.output); err != nil {
			return nil, err
		}
	}
	if a.relative {
		// The directory is copied to other machines, where only they know its path.
		c.Named.Relative, c.Mail.Dir = true, ""
	}
	for _, w := range c.Warnings {
		if a.quiet {
			break
		}
		warn("%s: %s", c.File, w)
	}
	return c, nil
}

// job is a configuration with its lists read.
type job struct {
	*config.Config
	set *zones.Set
}

// read reads configuration and lists, and holds them against the rules.
func (a *app) read() (*job, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	set, duplicates, err := zones.ReadLists(c.Groups)
	if err != nil {
		return nil, err
	}
	if err := set.CheckInfrastructure(c.Infrastructure); err != nil {
		return nil, err
	}
	if err := set.AddHandKept(c.HandKept); err != nil {
		return nil, err
	}
	for _, w := range set.Warnings {
		warn("%s", w)
	}
	const most = 50
	for i, d := range duplicates {
		if i == most {
			warn("and %d more duplicates", len(duplicates)-most)
			break
		}
		warn("%s: %s is already listed at %s; this line is ignored", d.Second, d.Name, d.First)
	}
	return &job{c, set}, nil
}

// wholeFiles are all output files that are made from the whole set.
func (j *job) wholeFiles() ([]zones.File, error) {
	files := zones.IncludeFiles(j.set)
	servers, err := named.Files(j.Named, j.set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.File, err)
	}
	files = append(files, servers...)
	if j.Mail.Postmaster == "" {
		return files, nil
	}
	tables, err := mailmaps.Files(j.Mail, j.set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.File, err)
	}
	return append(files, tables...), nil
}

func warn(format string, args ...any) {
	fmt.Fprintln(os.Stderr, "nullspf: warning: "+value.Visible(fmt.Sprintf(format, args...)))
}
