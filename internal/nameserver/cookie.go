package nameserver

import (
	"encoding/binary"
	"net/netip"
)

// Server cookies are valid for an hour, may be five minutes ahead of our
// clock, and are replaced after half an hour (RFC 9018 section 4.3).
const (
	cookieLife  = 3600
	cookieAhead = 300
	cookieRenew = 1800
)

// MaxSecrets bounds the secrets that one server tries for one cookie.
const MaxSecrets = 4

// Secret is a server secret of DNS cookies.
type Secret [16]byte

// cookieJar makes and checks interoperable server cookies (RFC 9018):
//
//	0              8         9      12          16         24
//	+--------------+---------+------+-----------+----------+
//	| client cookie| version | 0    | timestamp | SipHash  |
//	+--------------+---------+------+-----------+----------+
//
// The hash covers all that stands before it, and the client's address. Cookies
// are made with the first secret and accepted with any.
type cookieJar struct {
	secrets []Secret
}

// apply checks the cookie of q and puts the one to send in its place. now is
// in seconds since 1970; RFC 1982 arithmetic holds for the 32 bits of it that
// a cookie carries.
func (j *cookieJar) apply(q *query, now uint32) {
	c := &q.edns.cookie
	if q.edns.cookieSize == cookieSize {
		issued := binary.BigEndian.Uint32(c[12:])
		if age := int32(now - issued); c[8] == 1 && age <= cookieLife && age >= -cookieAhead {
			for i := range j.secrets {
				if j.hash(&j.secrets[i], c, q.client.Addr()) != binary.LittleEndian.Uint64(c[16:]) {
					continue
				}
				q.verified = true
				if i == 0 && age < cookieRenew {
					return
				}
				break
			}
		}
	}
	c[8], c[9], c[10], c[11] = 1, 0, 0, 0
	binary.BigEndian.PutUint32(c[12:], now)
	binary.LittleEndian.PutUint64(c[16:], j.hash(&j.secrets[0], c, q.client.Addr()))
}

func (j *cookieJar) hash(s *Secret, cookie *[cookieSize]byte, client netip.Addr) uint64 {
	var message [32]byte
	copy(message[:16], cookie[:16])
	if client.Is4() {
		a := client.As4()
		copy(message[16:], a[:])
		return sipHash((*[16]byte)(s), message[:20])
	}
	a := client.As16()
	copy(message[16:], a[:])
	return sipHash((*[16]byte)(s), message[:])
}
