package journal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/files"
	"nullspf/internal/tally"
)

// CheckRetainRaw fails when events would lose their addresses too early for the marks of
// attempts, and for joining segments.
func CheckRetainRaw(d time.Duration) error {
	if d < 24*time.Hour {
		return errors.New("write a duration of a day or more, such as 30d")
	}
	return nil
}

// keyName is the file with the key of pseudonyms, which never leaves the directory.
const keyName = "KEY"

// keySize is its size in bytes.
const keySize = 32

// pseudonyms takes out of rows what tells persons apart:
//
//	client_ip       203.0.113.7                -> 203.0.113.0/24, IPv6 /48
//	resolver        198.51.100.53, port 4711   -> 198.51.100.0/24, port 0
//	client_subnet   192.0.2.128/25             -> 192.0.2.0/24
//	sender_local    j.doe                      -> ~2c8hd0q3mu1f9k4e
//	helo            host-203-0-113-7.example   -> ~0v6t..., if it has a digit
//	raw_name        ...                        -> ""
//
// Marks and all other columns stay, so that counts do. Equal texts have equal
// pseudonyms, as long as the key is the same; without it, nobody can tell of which. A
// row that was changed before stays as it is.
type pseudonyms struct{ key []byte }

// openPseudonyms reads the key of a directory, and makes one if there is none.
func openPseudonyms(dir string) (*pseudonyms, error) {
	path := filepath.Join(dir, keyName)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, keySize)
		_, _ = rand.Read(key)
		err = files.Replace(path, key, files.Attributes{Mode: 0o600})
	}
	if err != nil {
		return nil, err
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("%s has %d bytes, not the %d of a key; remove it, and a new one is made", path, len(key), keySize)
	}
	return &pseudonyms{key}, nil
}

// pseudonymMark begins a pseudonym, pseudonymSize is its length.
const (
	pseudonymMark = '~'
	pseudonymSize = 17
)

var pseudonymDigits = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// of is the pseudonym of a text.
func (p *pseudonyms) of(text string) string {
	if text == "" || len(text) == pseudonymSize && text[0] == pseudonymMark && strings.Trim(text[1:], "0123456789abcdefghijklmnopqrstuv") == "" {
		return text
	}
	h := hmac.New(sha256.New, p.key)
	h.Write([]byte(text))
	return string(pseudonymMark) + pseudonymDigits.EncodeToString(h.Sum(nil)[:10])
}

// change changes a row.
func (p *pseudonyms) change(r *eventrow.Row) {
	r.ClientIP, r.Resolver, r.ResolverPort = networkOf(r.ClientIP), networkOf(r.Resolver), 0
	if subnet, err := netip.ParsePrefix(r.ClientSubnet); err == nil && subnet.Bits() > tally.NetBits(subnet.Addr()) {
		r.ClientSubnet = networkOf(subnet.Addr().String())
	}
	r.SenderLocal = p.of(r.SenderLocal)
	if strings.ContainsAny(r.HELO, "0123456789") {
		r.HELO = p.of(r.HELO)
	}
	r.RawName = ""
}

// networkOf is the network of an address, or of a network itself.
func networkOf(text string) string {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return text
	}
	prefix, err := addr.WithZone("").Prefix(tally.NetBits(addr))
	if err != nil {
		return ""
	}
	return prefix.String()
}

// anonymise writes segments anew of which all events are older than RetainRaw.
func (s *sealer) anonymise() error {
	limit := time.Duration(s.j.keepRaw.Load())
	if limit == 0 {
		return nil
	}
	oldest := s.j.age() - int64(limit/time.Second)
	for _, segment := range s.manifest.Load().Segments {
		if closed(s.stop) || segment.Age >= oldest {
			break
		}
		if segment.Anonymous || s.unreadable.has(segment.First) {
			continue
		}
		names, err := openPseudonyms(s.j.settings.Dir)
		if err != nil {
			return err
		}
		err = s.join([]Segment{segment}, &change{names.change, true})
		var bad *segmentError
		switch {
		case errors.As(err, &bad):
			s.segmentFails(bad.first, err)
		case errors.Is(err, errStopping):
			return nil
		case err != nil:
			return err
		default:
			s.j.log.Info().Uint64("events", segment.Rows).Uint64("first", segment.First).Uint64("last", segment.Last).
				Msg("took addresses and local parts out of old events of the journal")
		}
	}
	return nil
}
