package nameserver

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
)

// serverType is the name of our Corefiles among caddy's server types.
const serverType = "nullspf"

// directives, in the order in which they are read.
var directives = []struct {
	name  string
	setup func(*corefile, *caddy.Controller) error
}{
	{"bind", (*corefile).setupBind},
	{"spftrack", (*corefile).setupTrack},
	{"tsig", (*corefile).setupKeys},
	{"parked", (*corefile).setupParked},
	{"transfer", (*corefile).setupTransfer},
	{"secondary", (*corefile).setupSecondary},
	{"rrl", (*corefile).setupLimit},
	{"journal", (*corefile).setupJournal},
	{"cookies", (*corefile).setupCookies},
	{"metrics", (*corefile).setupMetrics},
	{"health", (*corefile).setupHealth},
	{"control", (*corefile).setupControl},
	{"log", (*corefile).setupLog},
	{"errors", (*corefile).setupErrors},
}

func init() {
	names := make([]string, len(directives))
	for i, d := range directives {
		names[i] = d.name
		caddy.RegisterPlugin(d.name, caddy.Plugin{ServerType: serverType, Action: func(c *caddy.Controller) error {
			return d.setup(c.Context().(*corefile), c)
		}})
	}
	caddy.RegisterServerType(serverType, caddy.ServerType{
		Directives: func() []string { return names },
		NewContext: func(inst *caddy.Instance) caddy.Context { return inst.Caddyfile().(*corefile) },
	})
}

// corefile is a Corefile that is read: caddy's input and its context at once.
// caddy only reads; sockets and reloads are those of [Server].
type corefile struct {
	path   string
	body   []byte
	config Config
	blocks []*blockState
	// keyError is the error of InspectServerBlocks, to which caddy puts words
	// before file and line.
	keyError error
	// global says where a directive that holds for the whole process stands.
	global map[string]string
}

// blockState is a server block that is read.
type blockState struct {
	Block
	keys []blockKey
	bind []netip.Addr
	// track is where the spftrack directive stands, "" without one.
	track string
	// stored are the directives that serve other zones.
	stored []string
}

// blockKey is ZONE:PORT.
type blockKey struct {
	// zone is "" for the root, which stands for all zones that are not tracking
	// zones.
	zone string
	port uint16
}

// Load reads and checks a Corefile, and the files that it names. Relative paths
// in it start from the working directory, except those of import, which start
// from the folder of the file in which they stand. Errors name file and line.
func Load(path string) (config *Config, err error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	defer func() {
		// caddy's lexer panics when it cannot go on.
		if r := recover(); r != nil {
			config, err = nil, fmt.Errorf("%s: cannot be read as a Corefile: %v", path, r)
		}
	}()
	f := &corefile{path: path, body: body, config: Config{Path: path}, global: make(map[string]string)}
	if err := caddy.ValidateAndExecuteDirectives(f, nil, true); err != nil {
		if f.keyError != nil {
			err = f.keyError
		}
		return nil, err
	}
	return f.finish()
}

// Body implements [caddy.Input].
func (f *corefile) Body() []byte { return f.body }

// Path implements [caddy.Input].
func (f *corefile) Path() string { return f.path }

// ServerType implements [caddy.Input].
func (f *corefile) ServerType() string { return serverType }

// MakeServers implements [caddy.Context]; it is never called.
func (f *corefile) MakeServers() ([]caddy.Server, error) { return nil, nil }

// InspectServerBlocks implements [caddy.Context]. It reads the keys.
func (f *corefile) InspectServerBlocks(_ string, blocks []caddyfile.ServerBlock) ([]caddyfile.ServerBlock, error) {
	tokens := caddyfile.NewDispenser(f.path, bytes.NewReader(f.body))
	for i := range blocks {
		b := &blockState{Block: Block{Position: f.path, Track: DefaultTrack(), Limit: RateLimit{Rate: DefaultRate}}}
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
				f.keyError = fmt.Errorf("%s - %w", position, err)
				return nil, f.keyError
			}
			b.keys = append(b.keys, k)
		}
		f.blocks = append(f.blocks, b)
	}
	return blocks, nil
}

func parseKey(key string) (blockKey, error) {
	name, port := key, "53"
	if i := strings.LastIndexByte(key, ':'); i >= 0 {
		name, port = key[:i], key[i+1:]
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return blockKey{}, fmt.Errorf("%q: a server block begins with ZONE:PORT, such as _spf.example.net:53", key)
	}
	if name == "." {
		return blockKey{port: uint16(n)}, nil
	}
	zone, err := parseName(name)
	if err != nil {
		return blockKey{}, err
	}
	return blockKey{zone, uint16(n)}, nil
}

// block returns the block in which a directive stands.
func (f *corefile) block(c *caddy.Controller) *blockState { return f.blocks[c.ServerBlockIndex] }

// setGlobal sets a part of the configuration that holds for the whole process,
// and may therefore be set in several blocks to one value only.
func setGlobal[T any](f *corefile, c *caddy.Controller, directive string, target *T, value T) error {
	if at, ok := f.global[directive]; ok && !reflect.DeepEqual(*target, value) {
		return c.Errf("%s holds for the whole process, and is set to something else at %s", directive, at)
	}
	f.global[directive] = fmt.Sprintf("%s:%d", c.File(), c.Line())
	*target = value
	return nil
}

// finish checks what directives cannot know alone.
func (f *corefile) finish() (*Config, error) {
	if len(f.blocks) == 0 {
		return nil, fmt.Errorf("%s: no server block; write one, such as _spf.example.net:53 { ... }", f.path)
	}
	for _, b := range f.blocks {
		if err := b.checkKeys(); err != nil {
			return nil, fmt.Errorf("%s - %w", b.Position, err)
		}
		if len(b.bind) == 0 {
			b.bind = []netip.Addr{netip.IPv4Unspecified()}
			if hasIPv6() {
				b.bind = append(b.bind, netip.IPv6Unspecified())
			}
		}
		port := b.keys[0].port
		for _, k := range b.keys {
			if k.port != port {
				return nil, fmt.Errorf("%s - the zones of a block have one port; write a block for port %d", b.Position, k.port)
			}
			if b.track != "" {
				b.Zones = append(b.Zones, k.zone)
			}
		}
		for _, a := range b.bind {
			b.Listen = append(b.Listen, netip.AddrPortFrom(a, port))
		}
		if err := b.checkAddresses(); err != nil {
			return nil, fmt.Errorf("%s - %w", b.track, err)
		}
		f.config.Blocks = append(f.config.Blocks, b.Block)
	}
	if err := f.loadParked(); err != nil {
		return nil, err
	}
	if err := Check(&f.config); err != nil {
		return nil, err
	}
	return &f.config, nil
}

// checkKeys refuses a block whose zones do not fit its directives.
func (b *blockState) checkKeys() error {
	for _, k := range b.keys {
		switch {
		case b.track != "" && k.zone == "":
			return fmt.Errorf("the block has an spftrack directive and must name its tracking zone, such as _spf.example.net:53")
		case b.track == "" && len(b.stored) > 0 && k.zone != "":
			return fmt.Errorf("a block with %s begins with .:%d: which zones it serves is said there", b.stored[0], k.port)
		}
	}
	switch {
	case b.track != "" && len(b.stored) > 0:
		return fmt.Errorf("spftrack and %s stand in one block; write a block .:%d for the latter", b.stored[0], b.keys[0].port)
	case b.track == "" && !b.Parked && !b.Secondary:
		return fmt.Errorf("the block has neither spftrack nor parked nor secondary, so it would answer nothing")
	}
	return nil
}
