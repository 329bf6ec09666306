package main

import (
	"io"
	"strings"
	"testing"
)

// TestWrongArguments: what was meant is named, or how to ask for it.
func TestWrongArguments(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"sever":              `nullspf has no command "sever", but server; see nullspf --help`,
		"nonsense":           `nullspf has no command "nonsense"; see nullspf --help`,
		"log topp":           `nullspf log has no command "topp", but top; see nullspf log --help`,
		"server statu":       `nullspf server has no command "statu", but status; see nullspf server --help`,
		"version x":          `this command takes no arguments, not "x"; see nullspf version --help`,
		"log compact":        "too few arguments: nullspf log compact DIR... [flags]",
		"import":             "too few arguments: nullspf import ",
		"check a b":          "too many arguments: nullspf check ",
		"spf explain 1 2 3":  "too many arguments: nullspf spf explain ",
		"spf simulate":       "name the client: nullspf spf simulate --ip IP --from SENDER --helo NAME",
		"spf simulate --ipp": "unknown flag: --ipp; see nullspf spf simulate --help",
	} {
		c := rootCommand()
		c.SetArgs(strings.Fields(line))
		c.SetOut(io.Discard)
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "arg(s)") {
			t.Errorf("%s: %v", line, err)
		}
	}
}
