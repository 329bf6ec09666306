package corefile

import (
	"fmt"
	"reflect"

	"github.com/coredns/caddy"
)

// options reads the lines of a directive's block, each a key with arguments.
func options(c *caddy.Controller, set func(key string, args []string) error) error {
	seen := make(map[string]bool)
	for c.NextBlock() {
		key := c.Val()
		args := c.RemainingArgs()
		if c.NextArg() {
			return c.Errf("%s: unexpected %q", key, c.Val())
		}
		if seen[key] && key != "address" {
			return c.Errf("%s is given twice", key)
		}
		seen[key] = true
		if err := set(key, args); err != nil {
			return c.Err(err.Error())
		}
	}
	return nil
}

// once reads the arguments of a directive that stands once in a block.
func once(c *caddy.Controller, read func(args []string) error) error {
	for given := false; c.Next(); given = true {
		name := c.Val()
		if given {
			return c.Errf("%s is given twice in one block", name)
		}
		if err := read(c.RemainingArgs()); err != nil {
			return err
		}
		if c.NextArg() {
			return c.Errf("%s: unexpected %q", name, c.Val())
		}
	}
	return nil
}

// block returns the block in which a directive stands.
func (r *reader) block(c *caddy.Controller) *blockState { return r.blocks[c.ServerBlockIndex] }

// position returns FILE:LINE of a directive.
func position(c *caddy.Controller) string { return fmt.Sprintf("%s:%d", c.File(), c.Line()) }

// setGlobal sets a part of the configuration that holds for the whole process,
// and may therefore be set in several blocks to one value only.
func setGlobal[T any](r *reader, c *caddy.Controller, directive string, target *T, value T) error {
	if at, ok := r.global[directive]; ok && !reflect.DeepEqual(*target, value) {
		return c.Errf("%s holds for the whole process, and is set to something else at %s", directive, at)
	}
	r.global[directive] = position(c)
	*target = value
	return nil
}
