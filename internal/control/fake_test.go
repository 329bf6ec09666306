package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// fake is a daemon with some zones.
type fake struct {
	number    int // of zones zoneN.example
	reload    error
	zonesErr  error
	asked     []string
	block     chan struct{} // Status waits for it unless it is nil
	textLines int
}

func (f *fake) Status(ctx context.Context) (*Status, error) {
	if f.block != nil {
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &Status{Version: "1.2", PID: 7, Zones: []ZoneCount{{Kind: Parked, Serving: f.number}}}, nil
}

func (f *fake) Zones(_ context.Context, yield func(*Zone) error) error {
	for i := range f.number {
		z := Zone{Name: fmt.Sprintf("zone%d.example", i), Kind: Parked, State: Serving, Serial: uint32(i)}
		if i%2 == 1 {
			z.Kind, z.State, z.Error = Secondary, Expired, "127.0.0.1:53: refused"
			z.Expires = time.Unix(1795176000, 0).UTC()
		}
		if err := yield(&z); err != nil {
			return err
		}
	}
	return f.zonesErr
}

func (f *fake) Zone(_ context.Context, name string) (*ZoneDetail, error) {
	if name != "zone0.example" {
		return nil, ErrUnknownZone
	}
	return &ZoneDetail{Zone: Zone{Name: name, Kind: Parked}, Records: 9}, nil
}

func (f *fake) ZoneText(_ context.Context, name string, w io.Writer) error {
	if name != "zone0.example" {
		return ErrUnknownZone
	}
	for range f.textLines {
		if _, err := io.WriteString(w, "zone0.example. 60 IN TXT \"x\"\n"); err != nil {
			return err
		}
	}
	if f.textLines > 10000 {
		return errors.New("gone")
	}
	return nil
}

func (f *fake) Reload(context.Context) error { return f.reload }

func (f *fake) Retransfer(_ context.Context, name string) error {
	if name == "zone0.example" {
		return fmt.Errorf("%w: a parked zone is not transferred", ErrNotApplicable)
	}
	f.asked = append(f.asked, name)
	return nil
}

func (f *fake) Notify(_ context.Context, name string) error {
	f.asked = append(f.asked, name)
	return nil
}

// serve starts a server for d at a socket of its own.
func serve(t *testing.T, d Daemon) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(d, zerolog.Nop())
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	c := NewClient(path)
	t.Cleanup(func() {
		c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// FuzzHandler: no request makes the server panic or answer with an unknown
// status.
func FuzzHandler(f *testing.F) {
	for _, target := range []string{
		"/status", "/zones?state=expired&kind=parked&failing=1", "/zones?state=x", "/zone?name=zone0.example",
		"/zone?name=a%2Fb%00", "/text?name=zone0.example", "/reload", "/notify?name=%", "/zone?name=a&name=b;c", "/../zone",
	} {
		f.Add("GET", target)
		f.Add("POST", target)
	}
	s := NewServer(&fake{number: 3, textLines: 2}, zerolog.Nop())
	f.Fuzz(func(t *testing.T, method, target string) {
		defer func() {
			// httptest.NewRequest panics on what is not a request.
			_ = recover()
		}()
		r := httptest.NewRequest(method, target, nil)
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			s.http.Handler.ServeHTTP(w, r)
		}()
		switch w.Code {
		case 200, 301, 307, 400, 404, 405, 409, 413:
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
