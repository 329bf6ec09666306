// Package clickhouse talks to ClickHouse servers over their HTTP interface.
//
//	db, err := clickhouse.Parse("clickhouse://reader@ch1.example.net:8123/nullspf")
//	err = db.Query(ctx, "SELECT helo, count() FROM events GROUP BY helo", func(r *clickhouse.Reader) error {
//		helo, count := r.Text(), r.Uint64()
//		return use(helo, count)
//	})
//
// Rows come and go in the format RowBinary, which every version has and in which
// nothing is escaped.
package clickhouse

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DB is a database of a server.
type DB struct {
	// Name is that of the database, Table that of the table with events; both are
	// words.
	Name, Table    string
	base           string
	user, password string
	client         *http.Client
}

const (
	scheme          = "clickhouse"
	defaultPort     = "8123"
	defaultTLSPort  = "8443"
	defaultDatabase = "nullspf"
	defaultTable    = "events"
	// dialTimeout bounds the time until a connection stands, silence that until an
	// answer begins or goes on.
	dialTimeout = 10 * time.Second
	silence     = 10 * time.Minute
	// maxMessage bounds what is read of an error, in bytes.
	maxMessage = 4 << 10
)

// Parse reads clickhouse://[USER@]HOST[:PORT][/DATABASE][?table=TABLE&secure=1]. By
// default the database is nullspf, the table events, the port 8123, and with secure=1,
// which is HTTPS, 8443. A password is not part of it, because others see command lines;
// see [DB.Login].
func Parse(target string) (*DB, error) {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != scheme || u.Hostname() == "" {
		return nil, fmt.Errorf("no address of a ClickHouse server: %q; write clickhouse://HOST:8123/nullspf", target)
	}
	if _, is := u.User.Password(); is {
		return nil, errors.New("a password in the address of a ClickHouse server would be seen by everybody; set the variable CLICKHOUSE_PASSWORD")
	}
	d := &DB{Name: strings.Trim(u.Path, "/"), Table: defaultTable, user: u.User.Username()}
	if d.Name == "" {
		d.Name = defaultDatabase
	}
	protocol, port := "http", defaultPort
	for key, values := range u.Query() {
		text := values[len(values)-1]
		on, err := strconv.ParseBool(text)
		switch {
		case key == "table":
			d.Table = text
		case key != "secure" || err != nil:
			return nil, fmt.Errorf("%q in the address of a ClickHouse server: there are table=NAME and secure=1", key+"="+text)
		case on:
			protocol, port = "https", defaultTLSPort
		}
	}
	if !isWord(d.Name) || !isWord(d.Table) {
		return nil, fmt.Errorf("database %q, table %q: use names of letters, digits and _", d.Name, d.Table)
	}
	d.base = protocol + "://" + net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)) + "/"
	d.client = &http.Client{Transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: silence,
		IdleConnTimeout:       time.Minute,
		// A request of which the answer was lost is not sent again unasked.
		DisableKeepAlives: true,
	}}
	return d, nil
}

// isWord reports whether a name needs no quotes.
func isWord(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// Login sets the password; "" is none.
func (d *DB) Login(password string) { d.password = password }

// String is the address, without password.
func (d *DB) String() string { return strings.TrimSuffix(d.base, "/") + "/" + d.Name }

// Error is what the server says about a statement.
type Error struct {
	// Code is that of the server, 0 when it named none.
	Code int
	// Text is printable ASCII.
	Text string
}

func (e *Error) Error() string { return "ClickHouse: " + e.Text }

// The codes of errors that callers tell apart.
const (
	UnknownTable    = 60
	UnknownDatabase = 81
)

// Exec runs a statement without rows.
func (d *DB) Exec(ctx context.Context, sql string) error {
	body, err := d.send(ctx, nil, strings.NewReader(sql))
	if err != nil {
		return err
	}
	return body.Close()
}

// Insert runs an INSERT ... FORMAT RowBinary with the rows that write writes.
func (d *DB) Insert(ctx context.Context, sql string, write func(*Writer) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		out := newWriter(w)
		err := write(out)
		if err == nil {
			err = out.flush()
		}
		// Without its end, the request is broken, and the server takes none of it.
		_ = w.CloseWithError(err)
		written <- err
	}()
	body, err := d.send(ctx, url.Values{"query": {sql}}, r)
	_ = r.Close()
	if e := <-written; e != nil && !errors.Is(e, io.ErrClosedPipe) {
		err = e
	}
	if body != nil {
		_ = body.Close()
	}
	return err
}

// Query runs a SELECT and calls yield for each row, which has to read all of its
// columns.
func (d *DB) Query(ctx context.Context, sql string, yield func(*Reader) error) error {
	body, err := d.send(ctx, nil, strings.NewReader(sql+" FORMAT RowBinary"))
	if err != nil {
		return err
	}
	defer body.Close()
	r := newReader(body)
	for r.more() {
		if err := yield(r); err != nil {
			return err
		}
	}
	if r.err != nil {
		return fmt.Errorf("the answer of %s broke off: %w", d, r.err)
	}
	return nil
}

// send sends a statement and returns the answer. The server keeps the answer back
// until it is complete, so that an error does not come in the middle.
func (d *DB) send(ctx context.Context, parameters url.Values, body io.Reader) (io.ReadCloser, error) {
	if parameters == nil {
		parameters = make(url.Values)
	}
	parameters.Set("database", d.Name)
	parameters.Set("wait_end_of_query", "1")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+"?"+parameters.Encode(), body)
	if err != nil {
		return nil, err
	}
	if d.user != "" {
		request.Header.Set("X-ClickHouse-User", d.user)
	}
	if d.password != "" {
		request.Header.Set("X-ClickHouse-Key", d.password)
	}
	response, err := d.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the address with the statement says nothing more
		}
		return nil, fmt.Errorf("%s: %w", d, err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	return nil, newError(response.Status, text)
}

func newError(status string, text []byte) *Error {
	line, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte("\n"))
	e := &Error{Text: printable(string(line))}
	if rest, is := strings.CutPrefix(e.Text, "Code: "); is {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		e.Code, _ = strconv.Atoi(digits)
	}
	if e.Text == "" {
		e.Text = "it answers " + printable(status)
	}
	return e
}

// printable replaces what is not printable ASCII.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// Quote makes a literal of a text.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
