// Package web serves pages that show the forgery log, the zones and the servers to people,
// and the same as JSON.
//
// Pages are HTML made here, of one look at the log each; what they ask for is in the
// address, so that a link shows a colleague the same. Script only adds to them: times of
// the viewer's zone, zoom, events as they come. Nothing can be changed.
//
//	filter.go    the query string becomes a query, and back
//	explore.go   the page of numbers: chart, rankings, newest events
//	lists.go     tables of values and of events, which go on
//	client.go    the page of a single client
//	health.go    what is wrong, sources, new clients
//	find.go      what was typed becomes a filter
//	memory.go    what several viewers ask is asked once
//	live.go      events as they come
//	zones.go     zones and servers
//	api.go       JSON and CSV
//	export.go    downloads, and the line of the log about each
//	access.go    who asks: whoever can connect, who has logged in, whom a proxy names
//	login.go     names and passwords; session.go, tries.go, password.go
//	pseudonym.go what those see who may not see addresses and local parts
//	server.go    who may ask, how often, and what a browser is told
package web
