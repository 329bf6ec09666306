package zones

import (
	"crypto/sha256"
	"encoding/base32"
)

// memberEncoding is base32hex in lower case (RFC 4648 section 7), whose
// digits are all allowed in host names.
var memberEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

const (
	// memberBytes of a SHA-256 sum make a member label.
	memberBytes = 16
	// MemberLength is the length of a member label.
	MemberLength = (memberBytes*8 + 4) / 5
)

// AppendMember appends the label of a member zone. It depends on the zone's
// name only: a consumer takes a changed label for a new zone and drops what it
// knew of the old one (RFC 9432 section 5.4).
func AppendMember(b []byte, name string) []byte {
	var buf [256]byte
	sum := sha256.Sum256(append(buf[:0], name...))
	return memberEncoding.AppendEncode(b, sum[:memberBytes])
}
