package contain

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	if err := Run(func() error { return nil }); err != nil {
		t.Error(err)
	}
	if err := Run(func() error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	for _, fault := range []func() error{
		func() error { panic("known") },
		func() error { var e error; return errors.New(e.Error()) },
		func() error { var b []byte; _ = b[len(b)]; return nil },
	} {
		var p *Panic
		if err := Run(fault); !errors.As(err, &p) || !strings.Contains(string(p.Stack), "contain_test.go") || !strings.HasPrefix(err.Error(), "internal error: ") {
			t.Errorf("%v", err)
		}
	}
}
