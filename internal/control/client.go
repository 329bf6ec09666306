package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// The bounds of what a daemon may cost.
const (
	maxDocument = 16 << 20
	maxLine     = 1 << 20
)

// Client asks the daemon at a socket. Errors that mean that there is none are
// a [*SocketError]; the others are those of the [Daemon].
type Client struct {
	socket string
	http   http.Client
}

// NewClient returns a client; it connects when it is used.
func NewClient(socket string) *Client {
	c := &Client{socket: socket}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableCompression: true,
	}
	return c
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status returns the state of the daemon.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	return &s, c.document(ctx, http.MethodGet, "/status", nil, &s)
}

// Zone returns what there is to say of a zone.
func (c *Client) Zone(ctx context.Context, name string) (*ZoneDetail, error) {
	var z ZoneDetail
	return &z, c.document(ctx, http.MethodGet, "/zone", url.Values{"name": {name}}, &z)
}

// Reload has the daemon reload its configuration and waits for it.
func (c *Client) Reload(ctx context.Context) error {
	return c.document(ctx, http.MethodPost, "/reload", nil, nil)
}

// Retransfer schedules a transfer of a zone.
func (c *Client) Retransfer(ctx context.Context, name string) error {
	return c.document(ctx, http.MethodPost, "/retransfer", url.Values{"name": {name}}, nil)
}

// Notify schedules notifications of a zone.
func (c *Client) Notify(ctx context.Context, name string) error {
	return c.document(ctx, http.MethodPost, "/notify", url.Values{"name": {name}}, nil)
}

// Zones calls yield for every zone that a filter selects, until yield returns
// an error. Without an error all have been seen.
func (c *Client) Zones(ctx context.Context, f Filter, yield func(*Zone) error) error {
	if err := f.validate(); err != nil {
		return err
	}
	query := url.Values{"kind": {string(f.Kind)}, "state": {string(f.State)}}
	if f.Failing {
		query.Set("failing", "1")
	}
	response, err := c.do(ctx, http.MethodGet, "/zones", query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var line struct {
			Zone
			failure
			End *uint64 `json:"end"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("%s sent no list of zones: %w", c.socket, err)
		}
		switch {
		case line.failure.Error != "":
			return fmt.Errorf("the list is not complete: %s", line.failure.Error)
		case line.End != nil:
			return nil
		}
		if err := yield(&line.Zone); err != nil {
			return err
		}
	}
	return fmt.Errorf("the list is not complete: %w", endOf(lines.Err()))
}

// ZoneText writes a zone in the form of a zone file.
func (c *Client) ZoneText(ctx context.Context, name string, w io.Writer) error {
	response, err := c.do(ctx, http.MethodGet, "/text", url.Values{"name": {name}})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("the text is not complete: %w", endOf(err))
	}
	return nil
}

func endOf(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// document makes a request and decodes its answer.
func (c *Client) document(ctx context.Context, method, path string, query url.Values, v any) error {
	response, err := c.do(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxDocument))
	if err != nil {
		return fmt.Errorf("the answer of %s is not complete: %w", c.socket, err)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s sent no JSON document: %w", c.socket, err)
	}
	return nil
}

// do makes a request. Answers other than 200 become errors.
func (c *Client) do(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	if err := CheckPath(c.socket); err != nil {
		return nil, err
	}
	target := url.URL{Scheme: "http", Host: "nullspfd", Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.explain(err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, refusal(response, query.Get("name"))
}

// refusal makes an error of an answer other than 200.
func refusal(response *http.Response, zone string) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxLine))
	if err != nil {
		return fmt.Errorf("%s: %w", response.Status, err)
	}
	var f failure
	if err := json.Unmarshal(body, &f); err != nil || f.Error == "" {
		f.Error = "status " + response.Status + ": " + string(bytes.TrimSpace(body))
	}
	switch response.StatusCode {
	case http.StatusNotFound:
		if zone != "" {
			return fmt.Errorf("%s: %w", zone, ErrUnknownZone)
		}
	case http.StatusConflict:
		return &conflict{f.Error}
	}
	return errors.New(f.Error)
}

// conflict is ErrNotApplicable with the text of the daemon.
type conflict struct{ text string }

func (e *conflict) Error() string { return e.text }
func (e *conflict) Unwrap() error { return ErrNotApplicable }
