package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"nullspf/internal/web"
)

func webPasswdCommand() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use:   "passwd [NAME]",
		Short: "Make the hash of a password for the web pages",
		Long: `Asks for a password twice, or reads one line when standard input is no terminal, and
writes its hash (bcrypt) as an item of web.users of the configuration; without NAME, the hash alone.
Nothing else is written or stored.`,
		Example: `  # A password that nobody can guess, in a file of its own
  $ head -c 15 /dev/urandom | base64 | tee password | nullspf web passwd bob --role pseudonymised >bob.yaml`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("name one user: %s", c.UseLine())
			}
			for _, name := range args {
				if err := web.CheckName(name); err != nil {
					return fmt.Errorf("the name %q: %w", name, err)
				}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if role != string(web.All) && role != string(web.Pseudonymised) {
				return fmt.Errorf("--role: use %s or %s", web.All, web.Pseudonymised)
			}
			password, err := askPassword(c.InOrStdin(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := web.NewHash(password)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				_, err = fmt.Fprintln(c.OutOrStdout(), string(hash))
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "    - name: %q\n      hash: %s\n      role: %s\n", args[0], string(hash), role)
			return err
		},
	}
	c.Flags().StringVar(&role, "role", string(web.All), "the user sees `ROLE`: all, or pseudonymised for pseudonyms in place of addresses and local parts")
	completeFlag(c, "role", values(web.Roles))
	return c
}

// askPassword reads a password: twice from a terminal, which does not show it, else a line.
func askPassword(in io.Reader, prompts io.Writer) ([]byte, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return bytes.TrimRight(line, "\r\n"), nil
	}
	var passwords [2][]byte
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(prompts, prompt)
		var err error
		passwords[i], err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(prompts)
		if err != nil {
			return nil, err
		}
	}
	if !bytes.Equal(passwords[0], passwords[1]) {
		return nil, errors.New("these are two different passwords; try again")
	}
	return passwords[0], nil
}
