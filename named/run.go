package named

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// stepTimeout is how long a step may take. A server with a million zones takes
// minutes to read its configuration.
const stepTimeout = 10 * time.Minute

// Run runs steps one after the other and writes each, before it runs, as a
// line to w; see [Show]. It stops at the first that fails; the error then has the
// end of the command's output, and how many steps were not run.
func Run(ctx context.Context, steps []Step, w io.Writer) error {
	f := folded{w: w}
	defer f.end()
	for i, s := range steps {
		if err := f.show(s); err != nil {
			return err
		}
		_, err := s.output(ctx, stepTimeout)
		if s.journals != nil {
			err = s.journals.after(ctx, err, w)
		}
		if err == nil {
			continue
		}
		if rest := len(steps) - i - 1; rest > 0 {
			return fmt.Errorf("%s: %w\n(%d more steps were not run)", s, err, rest)
		}
		return fmt.Errorf("%s: %w", s, err)
	}
	return nil
}

// Show writes steps as lines to w, each after a prefix. Of many with the same
// purpose only the first are shown.
func Show(w io.Writer, steps []Step, prefix string) error {
	f := folded{w: w, prefix: prefix}
	for _, s := range steps {
		if err := f.show(s); err != nil {
			return err
		}
	}
	f.end()
	return nil
}

// folded writes steps.
type folded struct {
	w      io.Writer
	prefix string
	why    string
	count  int
}

// maxShown is how many steps with the same purpose are shown.
const maxShown = 10

func (f *folded) show(s Step) error {
	if s.Why != f.why {
		f.end()
		f.why, f.count = s.Why, 0
	}
	if f.count++; f.count > maxShown {
		return nil
	}
	_, err := fmt.Fprintf(f.w, "%s%s  # %s\n", f.prefix, s, s.Why)
	return err
}

// end says how many steps were not shown.
func (f *folded) end() {
	if n := f.count - maxShown; n > 0 {
		fmt.Fprintf(f.w, "and %d more\n", n)
	}
	f.count = 0
}

// output runs one step and returns the end of what it writes. An error has it too.
func (s Step) output(ctx context.Context, timeout time.Duration) (string, error) {
	program, err := FindProgram(s.Argv[0])
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var out tail
	cmd := exec.CommandContext(ctx, program, s.Argv[1:]...)
	if s.Env != nil {
		cmd.Env = append(os.Environ(), s.Env...)
	}
	err = execute(ctx, cmd, &out)
	text := out.String()
	if err == nil {
		return text, nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("took more than %v and was stopped", timeout)
	}
	if text != "" {
		err = fmt.Errorf("%w\n%s", err, text)
	}
	return text, err
}

// execute runs a command and collects its output. It does not wait for a
// cancelled command, or for children that a command leaves behind.
func execute(ctx context.Context, cmd *exec.Cmd, out *tail) error {
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
