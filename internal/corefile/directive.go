package corefile

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/coredns/caddy"
)

// directive is a kind of directives.
type directive struct {
	name string
	// read reads those of one block. Errors get file, line and name elsewhere.
	read func(*statements) error
	// settings are the names of those in a block of its own.
	settings []string
}

// Error is a fault of a directive.
type Error struct {
	// Position is FILE:LINE.
	Position, Directive string
	Err                 error
}

// Error implements error.
func (e *Error) Error() string { return e.Position + ": " + e.Directive + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// statements are the directives of one kind in one server block.
type statements struct {
	*caddy.Controller
	name  string
	file  *reader
	block *blockState
}

// position returns FILE:LINE of what is read now.
func (s *statements) position() string { return fmt.Sprintf("%s:%d", s.File(), s.Line()) }

// once reads the arguments of a directive that stands once in a block.
func (s *statements) once(read func(args []string) error) error {
	for given := false; s.Next(); given = true {
		if given {
			return errors.New("given twice in one block")
		}
		if err := read(s.RemainingArgs()); err != nil {
			return err
		}
		if s.NextArg() {
			return unexpected(s.Val())
		}
	}
	return nil
}

func unexpected(argument string) error { return fmt.Errorf("unexpected %q", argument) }

// noArguments refuses arguments of a directive whose settings stand in a block.
func noArguments(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected %q; its settings stand in a block", args[0])
	}
	return nil
}

// setGlobal sets a part of the configuration that holds for the whole process,
// and may therefore be set in several blocks to one value only.
func setGlobal[T any](s *statements, target *T, value T) error {
	if at, ok := s.file.global[s.name]; ok && !reflect.DeepEqual(*target, value) {
		return fmt.Errorf("holds for the whole process, and is set to something else at %s", at)
	}
	s.file.global[s.name] = s.position()
	*target = value
	return nil
}

// setting is a line in the block of a directive, which sets something of a T.
type setting[T any] struct {
	name string
	// set gets one argument at least.
	set func(t T, args []string) error
	// repeated: it may be given several times.
	repeated bool
}

// settings are those that a directive has.
type settings[T any] []setting[T]

func (l settings[T]) names() []string {
	var names []string
	for _, s := range l {
		names = append(names, s.name)
	}
	return names
}

// read reads the block of a directive.
func (l settings[T]) read(s *statements, t T) error {
	seen := make(map[string]bool)
	for s.NextBlock() {
		name := s.Val()
		i := slices.IndexFunc(l, func(s setting[T]) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("unknown setting %q; there are %s", name, strings.Join(l.names(), ", "))
		}
		args := s.RemainingArgs()
		var err error
		switch {
		case s.NextArg():
			err = unexpected(s.Val())
		case seen[name] && !l[i].repeated:
			err = errors.New("given twice")
		case len(args) == 0:
			err = errors.New("a value is missing")
		default:
			err = l[i].set(t, args)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		seen[name] = true
	}
	return nil
}

// one makes a setting of exactly one value.
func one[T any](set func(t T, text string) error) func(T, []string) error {
	return func(t T, args []string) error {
		if len(args) > 1 {
			return unexpected(args[1])
		}
		return set(t, args[0])
	}
}

// parsed makes a setting of exactly one value that is parsed into a place.
func parsed[T, V any](parse func(text string) (V, error), place func(T) *V) func(T, []string) error {
	return one(func(t T, text string) (err error) {
		*place(t), err = parse(text)
		return err
	})
}
