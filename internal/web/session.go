package web

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// A session ends sessionLife after the login, and when it was not used for
	// sessionIdle.
	sessionLife = 12 * time.Hour
	sessionIdle = 3 * time.Hour
	// maxSessions there are at once, maxOfUser of one user. A further one ends the one that
	// was not used for the longest time.
	maxSessions = 1000
	maxOfUser   = 20
)

// session is a user who has logged in, in a browser or a program.
type session struct {
	user *User
	used time.Time
	// ctx ends with it.
	ctx context.Context
	end context.CancelFunc
}

// sessionKey finds a session: a hash of what the client shows, so that a session cannot be
// taken over by who sees the memory.
type sessionKey [sha256.Size]byte

// sessions are those that there are.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	list map[sessionKey]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, list: make(map[sessionKey]*session)}
}

// get is the session of a key, nil for none.
func (s *sessions) get(key sessionKey) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.list[key]
	if found == nil || s.over(found) {
		return nil
	}
	found.used = s.now()
	return found
}

func (s *sessions) over(x *session) bool {
	return x.ctx.Err() != nil || s.now().Sub(x.used) > sessionIdle
}

// add begins a session, which is over at once when the user has changed meanwhile.
func (s *sessions) add(key sessionKey, user *User, unchanged func(*User) bool) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
	s.makeRoom(user)
	x := &session{user: user, used: s.now()}
	x.ctx, x.end = context.WithTimeout(context.Background(), sessionLife)
	if !unchanged(user) {
		x.end()
	}
	s.list[key] = x
	return x
}

// makeRoom ends what is over, and what is too much.
func (s *sessions) makeRoom(user *User) {
	var oldest, oldestOfUser sessionKey
	all, ofUser := 0, 0
	older := func(key, than sessionKey) bool {
		other := s.list[than]
		return other == nil || s.list[key].used.Before(other.used)
	}
	for key, x := range s.list {
		if s.over(x) {
			s.remove(key)
			continue
		}
		if all++; older(key, oldest) {
			oldest = key
		}
		if x.user.Name == user.Name {
			if ofUser++; older(key, oldestOfUser) {
				oldestOfUser = key
			}
		}
	}
	switch {
	case ofUser >= maxOfUser:
		s.remove(oldestOfUser)
	case all >= maxSessions:
		s.remove(oldest)
	}
}

func (s *sessions) remove(key sessionKey) {
	if x := s.list[key]; x != nil {
		x.end()
		delete(s.list, key)
	}
}

// end ends sessions.
func (s *sessions) end(which func(*session) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, x := range s.list {
		if which(x) {
			s.remove(key)
		}
	}
}

// drop ends a session.
func (s *sessions) drop(key sessionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
}
