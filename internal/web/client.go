package web

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"nullspf/internal/forgerylog"
	"nullspf/internal/reverse"
	"nullspf/internal/tally"
	"nullspf/internal/value"
)

// clientView is what is known of a single client.
type clientView struct {
	forgerylog.Profile
	// Client is the client as the viewer may see it.
	Client              string
	FirstSeen, LastSeen time.Time
	System, Country     string
	// SystemLink and CountryLink lead to all clients there.
	SystemLink, CountryLink string
	Receivers, Domains      int
	// Names is the address that asks for the name, "" when it was asked for.
	Names  string
	Answer *reverse.Answer
	// Tier is how certain it is that the client forges, "" when that is not known; Why says
	// why, nil when that is not known.
	Tier string
	Why  *whyView
	// DomainsLink, ReceiversLink and NetLink lead to what they count; Net is the client's
	// network.
	DomainsLink, ReceiversLink, Net, NetLink string
}

// whyView is why a client has a tier.
type whyView struct{ Tier, Text string }

// Why is what is known of a client beside the log.
type Why struct {
	// Tier is how certain it is that the client forges, Lines say why, as nullspf log why
	// does.
	Tier  string
	Lines []string
}

// client shows all that is known of a single client: by one look at its events, or, where
// they are too many, by one question after the other.
func (s *sections) client() error {
	q := s.ofClient()
	p, err := s.portrait(q)
	if errors.Is(err, forgerylog.ErrTooMuch) {
		return s.busyClient(q)
	}
	if err := s.excuse(err); err != nil {
		return err
	}
	if err := s.chart(p.Series, p.Before); err != nil {
		return err
	}
	if err := s.about(&p.Profile); err != nil {
		return err
	}
	s.show("cards", nil)
	for _, ranking := range p.Rankings {
		s.show("ranking", rankingOf(s.f, ranking, "/"))
	}
	s.show("cards-end", nil)
	s.table(p.Newest)
	return nil
}

// single reports whether a page is about a single client.
func (s *sections) single() bool { return s.f.Client.IsValid() && s.f.Client.IsSingleIP() }

// ofClient is the query about that client.
func (s *sections) ofClient() forgerylog.Query {
	q := s.f.Query
	q.Client, q.Clients = netip.Prefix{}, []netip.Addr{s.f.Client.Addr()}
	return q
}

func (s *sections) portrait(q forgerylog.Query) (*forgerylog.Portrait, error) {
	sitting := forgerylog.Sitting{Client: q.Clients[0].String(), Until: s.f.now, Per: s.f.unit(), Fields: s.fields(), Ranks: ranked, Newest: newest}
	return remember(s.ctx, s.f.log, name("portrait", q), func(p *forgerylog.Portrait) int {
		if p == nil {
			return 0
		}
		n := sizeOfRows(p.Newest) + 64*(len(p.Profile.Domains)+len(p.Profile.Receivers)+len(p.Series.Buckets))
		for _, r := range p.Rankings {
			n += sizeOfRanking(r)
		}
		return n
	}, func(ctx context.Context) (*forgerylog.Portrait, error) {
		return portray(ctx, s.f.log.Engine, q, sitting)
	})
}

func (s *sections) busyClient(q forgerylog.Query) error {
	if err := s.charts(); err != nil {
		return err
	}
	profiles, err := s.f.log.Profiles(s.ctx, q)
	if err := s.excuse(err); err != nil {
		return err
	}
	for _, part := range []func() error{func() error { return s.about(&profiles[0]) }, s.rankings, s.events} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// about shows a client.
func (s *sections) about(p *forgerylog.Profile) error {
	v := clientView{Profile: *p, Client: s.w.who(p.Client.String()), Receivers: len(p.Receivers), Domains: len(p.Domains)}
	if p.Total > 0 {
		v.FirstSeen, v.LastSeen = time.Unix(0, p.First), time.Unix(0, p.Last)
	}
	if s.w.Places != nil {
		as, _ := s.w.Places.AS(p.Client)
		country, _ := s.w.Places.Country(p.Client)
		v.System, v.Country = visible(as), visible(country)
		v.SystemLink, v.CountryLink = s.f.link("/", paramIP, "", paramAS, number(as)), s.f.link("/", paramIP, "", paramCountry, country)
	}
	if asked, err := value.ParsePrefix(v.Client); err == nil {
		net, _ := asked.Addr().Prefix(tally.NetBits(asked.Addr()))
		v.Net, v.NetLink = net.String(), s.f.link("/", paramIP, net.String())
	}
	v.DomainsLink = s.f.link("/top", paramBy, string(forgerylog.ByDomain))
	v.ReceiversLink = s.f.link("/top", paramBy, string(forgerylog.ByResolver))
	if err := s.why(p.Client, &v); err != nil {
		return err
	}
	if s.w.Reverse != nil {
		v.Names = s.f.link("/", paramNames, "1")
		if s.wantNames {
			answer := s.w.Reverse.Of(s.ctx, p.Client)
			v.Names, v.Answer = "", &answer
		}
	}
	s.show("client", v)
	return nil
}

// why asks for the evidence about a client.
func (s *sections) why(client netip.Addr, v *clientView) error {
	switch {
	case s.w.Why != nil:
		why, err := remember(s.ctx, s.f.log, "why "+client.String(), func(Why) int { return 2048 }, func(ctx context.Context) (Why, error) { return s.w.Why(ctx, client) })
		if err := s.excuse(err); err != nil {
			return err
		}
		lines := make([]string, len(why.Lines))
		for i, line := range why.Lines {
			lines[i] = visible(line)
		}
		v.Why = &whyView{why.Tier, strings.Join(lines, "\n")}
	case s.w.Tiers != nil:
		tiers, err := s.f.log.tiers(s.ctx, s.w.Tiers, []netip.Addr{client})
		if err := s.excuse(err); err != nil {
			return err
		}
		v.Tier = tiers[client]
	}
	return nil
}

// number is that of an autonomous system, such as AS64500, without its name.
func number(as string) string {
	number, _, _ := strings.Cut(as, " ")
	return number
}
