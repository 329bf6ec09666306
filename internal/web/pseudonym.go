package web

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"nullspf/internal/eventrow"
	"nullspf/internal/files"
	"nullspf/internal/forgerylog"
	"nullspf/internal/tally"
	"nullspf/internal/value"
)

// pseudonyms stand in place of what tells persons apart, for viewers who may not see it:
//
//	client_ip, resolver  203.0.113.7             -> ~5q1b..., networks stay
//	resolver_port                                -> 0
//	client_subnet        192.0.2.128/25          -> 192.0.2.0/24, IPv6 /48
//	sender_local         j.doe                   -> ~0k7v...
//	helo                 host-203-0-113-7.example -> ~cm3e..., if it has a digit
//	raw_name             ...                     -> ""
//
// Equal texts have equal pseudonyms as long as the key is the same, so that counts and links
// work; who has the key can tell what a pseudonym stands for, and nobody else. It is
// base32 of a synthetic initialisation vector and the text encrypted with it, the
// construction of RFC 5297 with HMAC-SHA256 in place of CMAC.
type pseudonyms struct {
	mac    []byte
	cipher cipher.Block
}

// kindOf texts are not to be mistaken for another.
type kindOf byte

const (
	anAddress kindOf = iota
	aLocalPart
	aHELO
)

// pseudonymMark begins a pseudonym.
const pseudonymMark = "~"

// keySize is the size of a key, in bytes.
const keySize = 32

// vectorSize is the length of the vector, in bytes: of a billion texts, two have the same
// with a probability of one in a million.
const vectorSize = 10

var pseudonymDigits = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

func newPseudonyms(key []byte) *pseudonyms {
	derived := func(what string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(what))
		return h.Sum(nil)
	}
	block, err := aes.NewCipher(derived("encryption"))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	return &pseudonyms{derived("vector"), block}
}

func (p *pseudonyms) vector(kind kindOf, text string) []byte {
	h := hmac.New(sha256.New, p.mac)
	h.Write([]byte{byte(kind)})
	h.Write([]byte(text))
	return h.Sum(nil)[:vectorSize]
}

// crypt encrypts a text, or decrypts it.
func (p *pseudonyms) crypt(vector []byte, text string) string {
	out := []byte(text)
	counter := make([]byte, aes.BlockSize)
	copy(counter, vector)
	cipher.NewCTR(p.cipher, counter).XORKeyStream(out, out)
	return string(out)
}

// of is the pseudonym of a text; the empty one has none.
func (p *pseudonyms) of(kind kindOf, text string) string {
	if text == "" {
		return ""
	}
	vector := p.vector(kind, text)
	return pseudonymMark + pseudonymDigits.EncodeToString(append(vector[:vectorSize:vectorSize], p.crypt(vector, text)...))
}

var errPseudonym = errors.New("no pseudonym of these pages; they change when nullspf web is started again, unless web.pseudonym_key names a file")

// behind is the text behind a pseudonym.
func (p *pseudonyms) behind(kind kindOf, pseudonym string) (string, error) {
	text, marked := strings.CutPrefix(pseudonym, pseudonymMark)
	raw, err := pseudonymDigits.DecodeString(text)
	if !marked || err != nil || len(raw) <= vectorSize {
		return "", errPseudonym
	}
	plain := p.crypt(raw[:vectorSize], string(raw[vectorSize:]))
	if !hmac.Equal(p.vector(kind, plain), raw[:vectorSize]) {
		return "", errPseudonym
	}
	return plain, nil
}

// address is the pseudonym of an address; of a network, the network, 24 bits of an IPv4
// address and 48 of an IPv6 address.
func (p *pseudonyms) address(text string) string {
	if addr, err := netip.ParseAddr(text); err == nil {
		return p.of(anAddress, string(addr.WithZone("").AsSlice()))
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		if prefix.Bits() > tally.NetBits(prefix.Addr()) {
			prefix = netOf(prefix.Addr())
		}
		return prefix.String()
	}
	return p.of(anAddress, text)
}

// addressBehind is the address behind a pseudonym.
func (p *pseudonyms) addressBehind(pseudonym string) (string, error) {
	raw, err := p.behind(anAddress, pseudonym)
	if err != nil {
		return "", err
	}
	if addr, ok := netip.AddrFromSlice([]byte(raw)); ok {
		return addr.String(), nil
	}
	return "", errPseudonym
}

// helo is a HELO name, or its pseudonym when there can be an address in it.
func (p *pseudonyms) helo(text string) string {
	if strings.ContainsAny(text, "0123456789") || strings.HasPrefix(text, pseudonymMark) {
		return p.of(aHELO, text)
	}
	return text
}

// sender is local@domain with the pseudonym of the local part.
func (p *pseudonyms) sender(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return p.of(aLocalPart, text)
	}
	return p.of(aLocalPart, text[:at]) + text[at:]
}

// field is a value of a field as it may be seen.
func (p *pseudonyms) field(by forgerylog.Field, text string) string {
	switch by {
	case forgerylog.ByIP, forgerylog.ByNet, forgerylog.ByResolver:
		return p.address(text)
	case forgerylog.BySender:
		return p.sender(text)
	case forgerylog.ByHELO:
		return p.helo(text)
	}
	return text
}

// change changes a row.
func (p *pseudonyms) change(r *eventrow.Row) {
	r.ClientIP, r.Resolver, r.ResolverPort = p.address(r.ClientIP), p.address(r.Resolver), 0
	r.ClientSubnet = p.address(r.ClientSubnet)
	r.SenderLocal = p.of(aLocalPart, r.SenderLocal)
	r.HELO = p.helo(r.HELO)
	r.RawName = ""
}

// asked puts what is behind pseudonyms into the parameters of a request, and refuses what
// would find out who is behind one: guessed addresses and parts of names.
func (p *pseudonyms) asked(values url.Values) (url.Values, error) {
	real := make(url.Values, len(values))
	for name := range values {
		text := values.Get(name)
		var err error
		switch name {
		case paramIP, paramResolver:
			text, err = p.askedAddress(text)
		case paramSender:
			text, err = p.askedSender(text)
		case paramHELO:
			text, err = p.askedHELO(text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		real.Set(name, text)
	}
	return real, nil
}

func (p *pseudonyms) askedAddress(text string) (string, error) {
	if strings.HasPrefix(text, pseudonymMark) {
		return p.addressBehind(text)
	}
	prefix, err := value.ParsePrefix(text)
	if err == nil && prefix.Bits() > tally.NetBits(prefix.Addr()) {
		err = errors.New("you see pseudonyms in place of addresses: write one, or a network with at most 24 bits, of IPv6 48")
	}
	return text, err
}

func (p *pseudonyms) askedSender(text string) (string, error) {
	whole, exact := strings.CutPrefix(text, "=")
	at := strings.LastIndexByte(whole, '@')
	switch {
	case at == 0:
		return text, nil
	case at > 0 && exact && strings.HasPrefix(whole, pseudonymMark):
		local, err := p.behind(aLocalPart, whole[:at])
		return "=" + local + whole[at:], err
	}
	return "", errors.New("you see pseudonyms in place of local parts: write =PSEUDONYM@DOMAIN, or @DOMAIN")
}

func (p *pseudonyms) askedHELO(text string) (string, error) {
	whole, exact := strings.CutPrefix(text, "=")
	switch {
	case !exact:
	case strings.HasPrefix(whole, pseudonymMark):
		name, err := p.behind(aHELO, whole)
		return "=" + name, err
	case p.helo(eventrow.Unescape(whole)) == eventrow.Unescape(whole):
		return text, nil
	}
	return "", errors.New("you see pseudonyms in place of HELO names with digits: write =PSEUDONYM, or = and a whole name without digits")
}

// pseudonymous is an engine whose answers have pseudonyms. What queries select is real. It
// embeds no engine, so that a further method cannot be forgotten.
type pseudonymous struct {
	engine forgerylog.Engine
	names  *pseudonyms
}

var _ forgerylog.Engine = pseudonymous{}

func (e pseudonymous) changed(yield func(*eventrow.Row) error) func(*eventrow.Row) error {
	return func(r *eventrow.Row) error {
		row := *r
		e.names.change(&row)
		return yield(&row)
	}
}

func (e pseudonymous) Events(ctx context.Context, q forgerylog.Query, limit int, yield func(*eventrow.Row) error) error {
	return e.engine.Events(ctx, q, limit, e.changed(yield))
}

func (e pseudonymous) Scan(ctx context.Context, q forgerylog.Query, columns []*eventrow.Column, yield func(*eventrow.Row) error) error {
	return e.engine.Scan(ctx, q, columns, e.changed(yield))
}

func (e pseudonymous) Follow(ctx context.Context, q forgerylog.Query, last int, yield func([]eventrow.Row) error) error {
	return e.engine.Follow(ctx, q, last, func(rows []eventrow.Row) error {
		list := make([]eventrow.Row, len(rows))
		for i := range rows {
			list[i] = rows[i]
			e.names.change(&list[i])
		}
		return yield(list)
	})
}

// ranking is a ranking with pseudonyms.
func (e pseudonymous) ranking(r *forgerylog.Ranking, err error) (*forgerylog.Ranking, error) {
	if r == nil {
		return nil, err
	}
	changed := *r
	changed.Ranks = make([]forgerylog.Rank, len(r.Ranks))
	fields := r.By.Parts()
	for i, k := range r.Ranks {
		parts := strings.SplitN(k.Value, "\t", len(fields))
		for j := range parts {
			parts[j] = e.names.field(fields[j], parts[j])
		}
		changed.Ranks[i] = forgerylog.Rank{Value: strings.Join(parts, "\t"), Count: k.Count}
	}
	slices.SortFunc(changed.Ranks, forgerylog.Rank.Compare) // the order of addresses would tell of them
	return &changed, err
}

func (e pseudonymous) Top(ctx context.Context, q forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	return e.ranking(e.engine.Top(ctx, q, by, n))
}

func (e pseudonymous) Newcomers(ctx context.Context, q forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	return e.ranking(e.engine.Newcomers(ctx, q, by, n))
}

// Profiles has the clients that were asked for, which are real.
func (e pseudonymous) Profiles(ctx context.Context, q forgerylog.Query) ([]forgerylog.Profile, error) {
	return e.engine.Profiles(ctx, q)
}

// portray is [forgerylog.Portray]; of this engine, with pseudonyms.
func portray(ctx context.Context, e forgerylog.Engine, q forgerylog.Query, s forgerylog.Sitting) (*forgerylog.Portrait, error) {
	changing, ok := e.(pseudonymous)
	if !ok {
		return forgerylog.Portray(ctx, e, q, s)
	}
	p, err := forgerylog.Portray(ctx, changing.engine, q, s)
	if p == nil {
		return nil, err
	}
	for i := range p.Rankings {
		p.Rankings[i], _ = changing.ranking(p.Rankings[i], nil)
	}
	for i := range p.Newest {
		changing.names.change(&p.Newest[i])
	}
	return p, err
}

func (e pseudonymous) Timeline(ctx context.Context, q forgerylog.Query, per forgerylog.Unit) (*forgerylog.Series, error) {
	return e.engine.Timeline(ctx, q, per)
}

func (e pseudonymous) Stats(ctx context.Context) ([]forgerylog.JournalStats, error) {
	return e.engine.Stats(ctx)
}

func (e pseudonymous) Check(ctx context.Context) ([]forgerylog.JournalReport, error) {
	return e.engine.Check(ctx)
}

// OpenPseudonymKey reads the key of pseudonyms from a file. If there is none, it is made.
func OpenPseudonymKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keySize)
		_, _ = rand.Read(key)
		err = files.Replace(path, key, files.Attributes{Mode: 0o600})
	}
	if err == nil && len(key) != keySize {
		err = fmt.Errorf("%s has %d bytes, not the %d of a key; remove it, and a new one is made", value.Visible(path), len(key), keySize)
	}
	return key, err
}
