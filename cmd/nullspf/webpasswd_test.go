package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// TestPasswdAsksTwice: on a terminal, a password that is mistyped becomes no hash.
func TestPasswdAsksTwice(t *testing.T) {
	t.Parallel()
	program, person := peers.Terminal(t)
	for _, c := range []struct{ first, second, want, fails string }{
		{"correct horse", "correct horse", "correct horse", ""},
		{"correct horse", "correct hoarse", "", "two different passwords"},
	} {
		prompts, out := io.Pipe()
		go func() {
			for _, line := range []string{c.first, c.second} {
				prompt := make([]byte, 64)
				_, _ = prompts.Read(prompt)
				fmt.Fprintln(person, line)
				_, _ = prompts.Read(prompt) // the end of the line
			}
		}()
		got, err := askPassword(program, out)
		if string(got) != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%q, %q: %q, %v", c.first, c.second, got, err)
		}
	}
}
