// Package corefile reads Corefiles, the configurations of nullspfd, into the
// settings of package nameserver. It is the only one that imports caddy, which
// finds server blocks, directives and imports:
//
//	_spf.example.net:53 {
//	    bind 192.0.2.53
//	    spftrack {
//	        nameservers ns1.example.net ns2.example.net
//	    }
//	    journal /var/lib/nullspf/journal
//	}
//
// A file holds a directive, or some that belong together. An error says where:
//
//	Corefile:5: spftrack: ttl: not a duration: "60x"; write 90s, 15m, 2h, 7d
package corefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"

	"nullspf/internal/nameserver"
)

// serverType is the name of our Corefiles among caddy's server types.
const serverType = "nullspf"

// directives, in the order in which they are read.
var directives = []directive{
	{"bind", readBind, nil},
	{"xdp", readXDP, xdpSettings.names()},
	{"spftrack", readTrack, trackSettings.names()},
	{"tsig", readKeys, nil},
	{"parked", readParked, nil},
	{"transfer", readTransfer, transferSettings.names()},
	{"secondary", readSecondary, secondarySettings.names()},
	{"dnsbl", readDNSBL, dnsblSettings.names()},
	{"rrl", readLimit, limitSettings.names()},
	{"proxy", readProxy, nil},
	{"smtp", readSMTP, smtpSettings.names()},
	{"journal", readJournal, journalSettings.names()},
	{"cookies", readCookies, nil},
	{"metrics", readMetrics, nil},
	{"health", readHealth, nil},
	{"control", readControl, nil},
	{"log", readLog, nil},
	{"errors", readErrors, nil},
}

// directiveNames are those of the directives, in the order in which they are read.
func directiveNames() (names []string) {
	for _, d := range directives {
		names = append(names, d.name)
	}
	return names
}

func init() {
	for _, d := range directives {
		caddy.RegisterPlugin(d.name, caddy.Plugin{ServerType: serverType, Action: func(c *caddy.Controller) error {
			f := c.Context().(*reader)
			s := &statements{c, d.name, f, f.blocks[c.ServerBlockIndex]}
			if err := d.read(s); err != nil {
				return &Error{s.position(), d.name, err}
			}
			return nil
		}})
	}
	caddy.RegisterServerType(serverType, caddy.ServerType{
		Directives: directiveNames,
		NewContext: func(inst *caddy.Instance) caddy.Context { return inst.Caddyfile().(*reader) },
	})
}

// reader is a Corefile that is read: caddy's input and its context at once.
// caddy only reads; sockets and reloads are those of [nameserver.Server].
type reader struct {
	path   string
	body   []byte
	config nameserver.Config
	blocks []*blockState
	// keyError is the error of InspectServerBlocks, to which caddy puts words
	// before file and line.
	keyError error
	// global says where a directive that holds for the whole process stands.
	global map[string]string
}

// ErrNothing is the error of a Corefile that is right and serves nothing: the
// files that its imports may find are not there yet, or empty.
var ErrNothing = errors.New("no server block in the files that it imports")

// Load reads a Corefile, and the keys and secrets that it names. Relative paths
// in it start from the working directory, except those of import, which start
// from the directory of the file in which they stand. Errors name file and
// line. Whether the settings can be served together says [nameserver.Check].
func Load(path string) (config *nameserver.Config, err error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration: %s: there is no such file; name another with -conf", path)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer func() {
		// caddy's lexer panics when it cannot go on.
		if p := recover(); p != nil {
			config, err = nil, fmt.Errorf("%s: cannot be read as a Corefile: %v", path, p)
		}
	}()
	r := &reader{path: path, body: body, config: nameserver.Config{Path: path}, global: make(map[string]string)}
	if err := caddy.ValidateAndExecuteDirectives(r, nil, true); err != nil {
		if r.keyError != nil {
			err = r.keyError
		}
		var fault *Error
		if !errors.As(err, &fault) {
			text := strings.Replace(err.Error(), " - Error during parsing: ", ": ", 1) // caddy's
			if strings.Contains(text, ": Unknown directive '") {
				text += "; there are " + strings.Join(directiveNames(), ", ")
			}
			err = errors.New(text)
		}
		return nil, err
	}
	return r.finish()
}

// Body implements [caddy.Input].
func (r *reader) Body() []byte { return r.body }

// Path implements [caddy.Input].
func (r *reader) Path() string { return r.path }

// ServerType implements [caddy.Input].
func (r *reader) ServerType() string { return serverType }

// MakeServers implements [caddy.Context]; it is never called.
func (r *reader) MakeServers() ([]caddy.Server, error) { return nil, nil }

// InspectServerBlocks implements [caddy.Context]. It reads the keys.
func (r *reader) InspectServerBlocks(_ string, blocks []caddyfile.ServerBlock) ([]caddyfile.ServerBlock, error) {
	tokens := caddyfile.NewDispenser(r.path, bytes.NewReader(r.body))
	for i := range blocks {
		b := &blockState{Block: nameserver.Block{
			Position: r.path,
			Track:    nameserver.DefaultTrack(),
			Limit:    nameserver.RateLimit{Rate: nameserver.DefaultRate},
		}}
		for j, key := range blocks[i].Keys {
			// Only directives have a position; find that of the key.
			for tokens.Next() {
				if strings.TrimSuffix(tokens.Val(), ",") == key {
					break
				}
			}
			position := fmt.Sprintf("%s:%d", tokens.File(), tokens.Line())
			if j == 0 {
				b.Position = position
			}
			k, err := parseKey(key)
			if err != nil {
				r.keyError = fmt.Errorf("%s: %w", position, err)
				return nil, r.keyError
			}
			b.keys = append(b.keys, k)
		}
		r.blocks = append(r.blocks, b)
	}
	return blocks, nil
}

// finish checks what directives cannot know alone.
func (r *reader) finish() (*nameserver.Config, error) {
	if len(r.blocks) == 0 {
		if tokens := caddyfile.NewDispenser(r.path, bytes.NewReader(r.body)); tokens.Next() {
			return nil, fmt.Errorf("%s: %w; \"nullspf zones\" writes some", r.path, ErrNothing)
		}
		return nil, fmt.Errorf("%s: no server block; write one, such as _spf.example.net:53 { ... }", r.path)
	}
	for _, b := range r.blocks {
		if err := b.finish(); err != nil {
			return nil, fmt.Errorf("%s: %w", b.Position, err)
		}
		r.config.Blocks = append(r.config.Blocks, b.Block)
	}
	if p := r.config.Parked; p != nil {
		p.Position = r.global["parked"]
	}
	return &r.config, nil
}
