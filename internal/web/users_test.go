package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// TestUsersChange: whoever is gone, or is another, has to log in again, and others do not.
func TestUsersChange(t *testing.T) {
	t.Parallel()
	w := pages(t, withLogin(t, settings(log(t))))
	server := httptest.NewTLSServer(w)
	defer server.Close()
	status := func(c *http.Client) int {
		return ask(t, c, request(t, http.MethodGet, server.URL+"/servers", nil)).StatusCode
	}
	login := func(name string) *http.Client {
		c := browser(t, server)
		ask(t, c, request(t, http.MethodPost, server.URL+pathLogin, credentials(name, password)))
		return c
	}
	alice, bob := login("alice"), login("bob")
	if status(alice) != http.StatusOK || status(bob) != http.StatusOK {
		t.Fatal("nobody is logged in")
	}
	before := w.Access.Users
	if changed, err := w.SetUsers(slices.Clone(before)); changed || err != nil || status(alice) != http.StatusOK {
		t.Error("the same users are others:", changed, err)
	}
	for _, none := range [][]User{nil, {{Name: "alice", Role: All}}} {
		if changed, err := w.SetUsers(none); changed || err == nil || status(alice) != http.StatusOK {
			t.Error("the login is gone:", changed, err)
		}
	}
	next := slices.DeleteFunc(slices.Clone(before), func(u User) bool { return u.Name == "bob" })
	stale := w.users.find("bob")
	if changed, err := w.SetUsers(next); !changed || err != nil {
		t.Fatal(changed, err)
	}
	if status(alice) != http.StatusOK || status(bob) != http.StatusSeeOther || status(login("bob")) != http.StatusSeeOther {
		t.Error("bob is still there, or alice is not")
	}
	if s := w.logins.sessions.add(sessionKey{1}, stale, w.users.has); s.ctx.Err() == nil {
		t.Error("a login that was under way is one")
	}
	next = slices.Clone(next)
	next[0].Role = Pseudonymised
	if _, err := w.SetUsers(next); err != nil || status(alice) != http.StatusSeeOther || status(login("alice")) != http.StatusOK {
		t.Error("alice keeps her role:", err)
	}

	open := pages(t, settings(log(t)))
	if changed, err := open.SetUsers(before); changed || err == nil {
		t.Error("pages without a login have one")
	}
}
