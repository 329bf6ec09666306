package main

import (
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

//go:embed starter/nullspf.yaml starter/generic.txt
var starter embed.FS

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a commented configuration and list to start from",
		Long: `Writes nullspf.yaml, the list generic.txt and tsig.key with a fresh secret into
the directory DIR, by default the working directory. Existing files are never
overwritten.`,
		Example: `  # Write a configuration to start from into the directory site.
  $ nullspf init site
  wrote nullspf.yaml, generic.txt and tsig.key to site
  Edit nullspf.yaml and the list, then run: nullspf zones -c site/nullspf.yaml`,
		Args:              arguments(0, 1),
		ValidArgsFunction: argument(0, directories),
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			secret := make([]byte, 32)
			if _, err := rand.Read(secret); err != nil {
				return err
			}
			files := []starterFile{{"tsig.key", 0o600, []byte(base64.StdEncoding.EncodeToString(secret) + "\n")}}
			for _, name := range []string{"nullspf.yaml", "generic.txt"} {
				text, err := starter.ReadFile("starter/" + name)
				if err != nil {
					return err
				}
				files = append(files, starterFile{name, 0o644, text})
			}
			if err := writeStarter(dir, files); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "wrote nullspf.yaml, generic.txt and tsig.key to %s\n"+
				"Edit nullspf.yaml and the list, then run: nullspf zones -c %s\n", dir, filepath.Join(dir, "nullspf.yaml"))
			return nil
		},
	}
}

type starterFile struct {
	name string
	mode fs.FileMode
	text []byte
}

// writeStarter writes all files or none.
func writeStarter(dir string, files []starterFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, f.name)); err == nil {
			return fmt.Errorf("%s exists; nothing was written", filepath.Join(dir, f.name))
		}
	}
	for _, f := range files {
		out, err := os.OpenFile(filepath.Join(dir, f.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode)
		if err != nil {
			return err
		}
		_, err = out.Write(f.text)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}
