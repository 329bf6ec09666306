package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
	"nullspf/spftrack"
)

// Subject is who is to be forgotten: an address, or a mailbox.
type Subject struct {
	Addr netip.Addr
	// Local and Domain are those of a mailbox, in lower case, as rows show them.
	Local, Domain string
}

// ParseSubject reads an address, or a mailbox local@domain.
func ParseSubject(text string) (Subject, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.Zone() != "" {
			return Subject{}, fmt.Errorf("%s: an address with a zone is of no client", text)
		}
		return Subject{Addr: addr.Unmap()}, nil
	}
	i := strings.LastIndexByte(text, '@')
	if i < 1 || i == len(text)-1 {
		return Subject{}, fmt.Errorf("%q is neither an address nor a mailbox; write 192.0.2.7 or someone@example.net", text)
	}
	text = strings.ToLower(text)
	return Subject{Local: spftrack.Printable(text[:i]), Domain: spftrack.Printable(text[i+1:])}, nil
}

// kind is what it is, without telling who.
func (s Subject) kind() string {
	if s.Addr.IsValid() {
		return "address"
	}
	return "mailbox"
}

// text is the subject in one form only.
func (s Subject) text() string {
	if s.Addr.IsValid() {
		return s.Addr.String()
	}
	return s.Local + "@" + s.Domain
}

// subject finds a Subject in rows and takes it out of them.
type subject struct {
	Subject
	// texts are forms in which HELO and names have it, in lower case.
	texts []string
}

func (s Subject) finder() *subject {
	f := &subject{Subject: s}
	if !s.Addr.IsValid() {
		f.texts = []string{s.Local + "@" + s.Domain}
		return f
	}
	b := s.Addr.AsSlice()
	var forward, backward []string
	if s.Addr.Is4() {
		for i := range b {
			forward = append(forward, fmt.Sprint(b[i]))
			backward = append(backward, fmt.Sprint(b[len(b)-1-i]))
		}
		f.texts = append(f.texts, strings.Join(forward, "-"), strings.Join(backward, "-"))
	} else {
		for i := range b {
			forward = append(forward, fmt.Sprintf("%x.%x", b[i]>>4, b[i]&15))
			backward = append(backward, fmt.Sprintf("%x.%x", b[len(b)-1-i]&15, b[len(b)-1-i]>>4))
		}
		f.texts = append(f.texts, s.Addr.String(), strings.ToLower(s.Addr.StringExpanded()))
	}
	f.texts = append(f.texts, strings.Join(forward, "."), strings.Join(backward, "."))
	return f
}

// in reports whether a text has the subject in one of its forms, between other digits
// and letters than its own.
func (f *subject) in(text string) bool {
	text = strings.ToLower(text)
	for _, t := range f.texts {
		for from := 0; ; {
			i := strings.Index(text[from:], t)
			if i < 0 {
				break
			}
			i += from
			if !alphanumeric(text, i-1) && !alphanumeric(text, i+len(t)) {
				return true
			}
			from = i + 1
		}
	}
	return false
}

func alphanumeric(text string, i int) bool {
	return i >= 0 && i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z')
}

// change takes the subject out of a row, and reports whether it was there. What counts
// stays.
func (f *subject) change(r *eventrow.Row) bool {
	found := false
	name := r.Name() // of all columns as they are
	if f.in(r.HELO) {
		r.HELO, found = "", true
	}
	if f.in(name) {
		r.RawName, found = "", true
	}
	if !f.Addr.IsValid() {
		if strings.EqualFold(r.SenderLocal, f.Local) && strings.EqualFold(r.SenderDomain, f.Domain) {
			// Names hold the local part and the domain apart.
			r.SenderLocal, r.RawName, found = "", "", true
		}
		return found
	}
	if f.is(r.ClientIP) {
		r.ClientIP, r.RawName, found = networkOf(r.ClientIP), "", true
	}
	if f.is(r.Resolver) {
		r.Resolver, r.ResolverPort, found = networkOf(r.Resolver), 0, true
	}
	if p, err := netip.ParsePrefix(r.ClientSubnet); err == nil && p.Bits() > tally.NetBits(p.Addr()) && p.Contains(f.Addr) {
		r.ClientSubnet, found = networkOf(p.Addr().String()), true
	}
	if f.in(r.SenderLocal) {
		r.SenderLocal, r.RawName, found = "", "", true
	}
	return found
}

func (f *subject) is(text string) bool {
	addr, err := netip.ParseAddr(text)
	return err == nil && addr.Unmap() == f.Addr
}

// Forgotten is what [Forget] did.
type Forgotten struct {
	// Events were changed in Segments, which were written anew. Read counts all that
	// were read afterwards, in which it is not any more.
	Events, Read uint64
	Segments     int
	// Left are quarantined files, which nobody reads and which may hold it.
	Left []string
}

// forgottenName is the file that tells what was forgotten:
//
//	2026-11-28T12:00:00Z	address	~2c8hd0q3mu1f9k4e	3	1
//
// time, kind, pseudonym by the key of the directory, events, segments.
const forgottenName = "FORGOTTEN"

// Forget takes a subject out of all events of a directory: addresses become their
// networks, local parts, HELO and query names with it empty; counts stay. What is not
// sealed is sealed before. At the end all is read back. An error leaves no event lost, and
// Forget can be called again. No nullspfd may have the directory open.
func Forget(ctx context.Context, dir string, who Subject, options ReadOptions) (done Forgotten, err error) {
	if err := isJournal(dir); err != nil {
		return done, err
	}
	m, err := loadManifest(dir)
	if err != nil {
		return done, err
	}
	settings, err := Settings{Dir: dir, Server: m.Server, Logger: zerolog.Nop()}.complete()
	if err != nil {
		return done, err
	}
	at, err := takePlace(dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, at.Close()) }()
	j, err := prepare(settings, at)
	if err != nil {
		return done, err
	}
	s := j.sealer
	s.stop = ctx.Done()
	if options.Known != nil {
		s.known = options.Known
	}
	if err := s.sealRest(); err != nil {
		return done, err
	}
	f := who.finder()
	for _, segment := range s.manifest.Load().Segments {
		n, err := s.forgetIn(&segment, f)
		if err != nil {
			return done, err
		}
		if n > 0 {
			done.Events += n
			done.Segments++
		}
	}
	if err := os.Remove(recentPath(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, err
	}
	if err := writeRecent(dir, s.manifest.Load()); err != nil {
		return done, err
	}
	if done.Read, err = s.forgotten(f); err != nil {
		return done, err
	}
	quarantined, err := listQuarantined(dir)
	for _, q := range quarantined {
		done.Left = append(done.Left, q.path)
	}
	return done, errors.Join(err, noteForgotten(dir, who, &done))
}

// sealRest seals all wal files.
func (s *sealer) sealRest() error {
	for {
		files := s.unread()
		if len(files) == 0 {
			break
		}
		if err := s.pass(files[:min(len(files), maxPass)], false); err != nil {
			s.discard()
			return err
		}
	}
	if s.underWay == nil {
		return nil
	}
	if err := s.pass(nil, true); err != nil {
		s.discard()
		return err
	}
	return nil
}

// forgetIn writes a segment anew if it has the subject, and returns how many events
// have it.
func (s *sealer) forgetIn(segment *Segment, f *subject) (found uint64, err error) {
	count := func(r *eventrow.Row) {
		if f.change(r) {
			found++
		}
	}
	if err := s.eachRow(segment, count); err != nil || found == 0 {
		return 0, err
	}
	found = 0
	err = s.join([]Segment{*segment}, &change{row: count})
	return found, err
}

// eachRow calls yield with the rows of a segment.
func (s *sealer) eachRow(segment *Segment, yield func(*eventrow.Row)) error {
	file, err := openSegment(s.j.settings.Dir, segment)
	if err != nil {
		return err
	}
	defer file.close()
	return file.rows(0, func(rows []eventrow.Row) error {
		if closed(s.stop) {
			return errStopping
		}
		for i := range rows {
			yield(&rows[i])
		}
		return nil
	})
}

// forgotten reads everything back, and fails when the subject is still there.
func (s *sealer) forgotten(f *subject) (read uint64, err error) {
	dir := s.j.settings.Dir
	m := s.manifest.Load()
	left := 0
	for i := range m.Segments {
		err := s.eachRow(&m.Segments[i], func(r *eventrow.Row) {
			read++
			if f.change(r) {
				left++
			}
		})
		if err != nil {
			return read, err
		}
	}
	files, err := listSegments(dir)
	if err != nil {
		return read, err
	}
	for _, found := range files {
		path, err := filepath.Rel(dir, found.path)
		if err != nil {
			return read, err
		}
		listed := false
		for i := range m.Segments {
			listed = listed || filepath.FromSlash(m.Segments[i].Path()) == path
		}
		if !listed {
			return read, fmt.Errorf("%s was replaced but is still there; remove it", found.path)
		}
	}
	wals, err := listWALs(dir)
	if err == nil && len(wals) > 0 {
		err = fmt.Errorf("%s is not sealed and may hold it", filepath.Join(dir, walDir, wals[0].String()))
	}
	if err == nil && left > 0 {
		err = fmt.Errorf("%d events still have it after the segments were written anew", left)
	}
	return read, err
}

// noteForgotten adds a line to the file that tells what was forgotten.
func noteForgotten(dir string, who Subject, done *Forgotten) error {
	names, err := openPseudonyms(dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, forgottenName), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	fmt.Fprintf(&line, "%s\t%s\t%s\t%d\t%d\n", time.Now().UTC().Format(time.RFC3339), who.kind(), names.of(who.text()), done.Events, done.Segments)
	_, err = f.Write(line.Bytes())
	return errors.Join(err, f.Sync(), f.Close())
}
