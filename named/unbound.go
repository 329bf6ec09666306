package named

// unbound adds the configuration of an Unbound that has copies of the zones. It
// cannot sign: its primary must allow it without the key.
func (g *generator) unbound() {
	if !g.secondaries() {
		return
	}
	var t text
	t.header("#", "The published zones, for an Unbound with copies of them.",
		`Include it in unbound.conf:`, ``, `    include: `+quote(g.path("unbound/secondary.conf")), ``,
		`Copies of the zones are kept in this directory, which must exist and be writable`,
		`by unbound:`, ``, `    `+g.store())
	var sources []byte
	for _, a := range g.Primary.Addresses {
		sources = append(sources, "\n\tprimary: "+at(a)+"\n\tallow-notify: "+a.Addr().String()...)
	}
	end := "\"" + string(sources) + "\n\tfor-downstream: yes\n\tfor-upstream: yes\n\tfallback-enabled: no\n\tzonefile: \"" + g.store() + "/"
	g.listing("unbound/secondary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, "\nauth-zone:\n\tname: \""...)
		b = append(b, name...)
		b = append(b, end...)
		b = append(b, copyFile(name)...)
		return append(b, "\"\n"...)
	})
}
