package config

import (
	"fmt"
	"testing"

	"nullspf/internal/web"
)

func TestWeb(t *testing.T) {
	if w := parse(t, small).Web; w.Listen != web.DefaultListen || len(w.Users)+len(w.Hosts)+len(w.Proxy.From) > 0 || w.Certificate != "" || w.PseudonymKey != "" {
		t.Errorf("by default %+v", w)
	}
	const hash = "$2a$12$Z4P5cwtJ5fWBeoSY5gjqrOaIg5sLgNpBZWGsD3fLo7tOtXn5zC1LC"
	w := parse(t, small+"web: {listen: '[2001:db8::1]:8443', certificate: web.crt, key: /etc/ssl/web.key, hosts: Pages.Example.NET., pseudonym_key: KEY, metrics: 'http://192.0.2.53:9153',\n"+
		"  users: [{name: Alice, hash: "+hash+", role: ALL}, {name: bob@example.net, role: pseudonymised}], proxy: {from: [192.0.2.9, 2001:db8:9::/64], header: x-user, role: pseudonymised}}\n").Web
	got := fmt.Sprintf("%s %s %s %q %s %+v", w.Listen, w.Certificate, w.Key, w.Hosts, w.PseudonymKey, w.Access)
	want := `[2001:db8::1]:8443 /etc/nullspf/web.crt /etc/ssl/web.key ["pages.example.net"] /etc/nullspf/KEY ` +
		`{Users:[{Name:Alice Hash:(a hash) Role:all} {Name:bob@example.net Hash: Role:pseudonymised}] Hosts:[pages.example.net] Proxy:{From:[192.0.2.9/32 2001:db8:9::/64] Header:X-User Role:pseudonymised}}`
	if got != want || len(w.Metrics) != 1 || w.Metrics[0] != "http://192.0.2.53:9153/metrics" || w.Users[0].Hash != web.Hash(hash) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if p := parse(t, small+"web: {proxy: {from: 127.0.0.1}}\n").Web.Proxy; p.Header != proxyHeader || p.Role != "" {
		t.Errorf("%+v", p)
	}
}
