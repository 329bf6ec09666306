package zones

import "slices"

// Entry is one published domain.
type Entry struct {
	// Name is a lower-case name in A-label form without final dot.
	Name string
	// Override is nil for nearly all domains.
	Override *Override
	group    uint16
	list     uint16
	line     int32
}

// Set is the outcome of reading the lists: the domains to publish, in byte
// order of their names, each once.
type Set struct {
	Groups  []*Group
	Entries []Entry
	// HandKept are the zones that people keep by hand.
	HandKept []HandKept
	// Warnings are about the lists.
	Warnings []string
	// lists are the paths of the list files, by Entry.list.
	lists []string
}

// AddHandKept adds the zones that people keep by hand. The error, for those on a
// list, is *ListErrors.
func (s *Set) AddHandKept(zones []HandKept) error {
	s.HandKept = zones
	var errs ListErrors
	for _, z := range zones {
		if e := s.Find(string(z.Name)); e != nil {
			errs.add(&ListError{
				File: s.lists[e.list], Line: int(e.line), Token: e.Name,
				Reason: "the key handkept says that this zone is kept by hand; remove the domain from the list, or the zone from the key",
			})
		}
	}
	return errs.orNil()
}

// Group returns the group of e.
func (s *Set) Group(e *Entry) *Group { return s.Groups[e.group] }

// Mail returns the mail mode of e.
func (s *Set) Mail(e *Entry) MailMode {
	if e.Override != nil && e.Override.Mail != "" {
		return e.Override.Mail
	}
	return s.Groups[e.group].Mail
}

// SPF returns the SPF layout of e.
func (s *Set) SPF(e *Entry) string {
	if e.Override != nil && e.Override.SPF != "" {
		return e.Override.SPF
	}
	return s.Groups[e.group].SPF
}

// MX returns the MX RRset of e; the caller must not change it.
func (s *Set) MX(e *Entry) []MX { return s.Groups[e.group].MX[s.Mail(e)] }

// Find returns the entry of a name in the form of [Entry.Name], or nil.
func (s *Set) Find(name string) *Entry {
	i, ok := slices.BinarySearchFunc(s.Entries, name, func(e Entry, n string) int {
		switch {
		case e.Name < n:
			return -1
		case e.Name > n:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return &s.Entries[i]
}
