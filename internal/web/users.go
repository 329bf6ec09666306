package web

import (
	"errors"
	"slices"
	"sync/atomic"
)

// users are those who may see the pages now.
type users struct{ list atomic.Pointer[[]User] }

func newUsers(list []User) *users {
	u := new(users)
	u.list.Store(&list)
	return u
}

// find returns the user of a name, nil for none.
func (u *users) find(name string) *User {
	list := *u.list.Load()
	if i := slices.IndexFunc(list, func(u User) bool { return u.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// has reports whether a user is as he was.
func (u *users) has(user *User) bool {
	now := u.find(user.Name)
	return now != nil && *now == *user
}

// someHash is a hash whose password nobody has said, "" when nobody has one.
func (u *users) someHash() Hash {
	for _, user := range *u.list.Load() {
		if user.Hash != "" {
			return user.Hash
		}
	}
	return ""
}

// SetUsers replaces the users, and reports whether that changes anything. The sessions of
// those who are gone, or have another password or role, end. Pages with a login go on with
// one, and others without: it then fails and changes nothing.
func (w *Server) SetUsers(list []User) (changed bool, err error) {
	next := Access{Users: list}
	switch before, after := w.Access.Login(), next.Login(); {
	case before && !after:
		return false, errors.New("web.users has nobody with a password any more; to serve the pages without a login, start nullspf web again")
	case !before && after:
		return false, errors.New("web.users has somebody with a password now; to serve the pages with a login, start nullspf web again")
	case slices.Equal(list, *w.users.list.Load()):
		return false, nil
	}
	w.users.list.Store(&list)
	w.logins.sessions.end(func(s *session) bool { return !w.users.has(s.user) })
	return true, nil
}
