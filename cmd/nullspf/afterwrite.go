package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"nullspf/named"
)

// pendingFile is in the output directory from before a run writes to it until the
// command of after_write has ended without error.
const pendingFile = ".after_write"

// beforeWrite notes that the command of after_write is to run, when the run changes
// anything.
func (b *building) beforeWrite() error {
	if b.AfterWrite == nil || b.elsewhere {
		return nil
	}
	current, err := b.plan.FilesCurrent(b.files, b.fingerprint)
	if err != nil || current && b.plan.Empty() {
		return err
	}
	if err := os.MkdirAll(b.Output, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.Output, pendingFile), nil, 0o644)
}

// afterWrite runs the command of after_write once for what this run has changed,
// or an earlier one after which it failed.
func (b *building) afterWrite(ctx context.Context, w io.Writer) error {
	if b.AfterWrite == nil || b.elsewhere {
		return nil
	}
	pending := filepath.Join(b.Output, pendingFile)
	if _, err := os.Stat(pending); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	step := named.Step{Argv: b.AfterWrite, Why: "after_write", Env: []string{"NULLSPF_OUTPUT=" + b.Output}}
	if err := named.Run(ctx, []named.Step{step}, w); err != nil {
		return fmt.Errorf("%w\n%s has been written; after_write runs again with the next run", err, b.Output)
	}
	return os.Remove(pending)
}
