package xfr

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/tsigkey"
)

const testSecret = "c2VjcmV0IG9mIHRoaXJ0eS10d28gb2N0ZXRzLCBvciBzbw=="

func testKey(t testing.TB, algorithm string) *Key {
	t.Helper()
	return newKey(t, "xfr.example.net", algorithm, testSecret)
}

func question(t testing.TB) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion("brand.example.", dns.TypeAXFR)
	m.Id = 4711
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTSIGWithOthers signs and verifies messages with another implementation
// at the other end.
func TestTSIGWithOthers(t *testing.T) {
	now := time.Now()
	for _, algorithm := range tsigkey.Algorithms {
		k := testKey(t, algorithm)
		keys := Keys{k.Name: k}

		// Our request, their answers.
		request, mac := k.signRequest(question(t), now)
		if err := dns.TsigVerify(bytes.Clone(request), testSecret, "", false); err != nil {
			t.Errorf("%s: our request: %v", algorithm, err)
		}
		v := newVerifier(k, mac)
		before := hexText(mac)
		for i := range 3 {
			m := new(dns.Msg).SetQuestion("brand.example.", dns.TypeAXFR)
			m.SetTsig("xfr.example.net.", algorithm+".", 300, now.Unix())
			b, next, err := dns.TsigGenerate(m, testSecret, before, i > 0)
			if err != nil {
				t.Fatal(err)
			}
			before = next
			plain, err := v.next(b, now)
			if err != nil {
				t.Fatalf("%s: their message %d: %v", algorithm, i, err)
			}
			var got dns.Msg
			if err := got.Unpack(plain); err != nil || got.IsTsig() != nil || len(got.Question) != 1 {
				t.Errorf("%s: %v, %v", algorithm, &got, err)
			}
		}
		if err := v.end(); err != nil {
			t.Error(err)
		}

		// Their request, our answers.
		m := new(dns.Msg).SetQuestion("brand.example.", dns.TypeSOA)
		m.SetTsig("XFR.example.net.", strings.ToUpper(algorithm)+".", 300, now.Unix())
		theirs, theirMAC, err := dns.TsigGenerate(m, testSecret, "", false)
		if err != nil {
			t.Fatal(err)
		}
		plain, signed, err := keys.Verify(bytes.Clone(theirs), now)
		if err != nil || signed == nil || signed.Key != k {
			t.Fatalf("%s: their request: %+v, %v", algorithm, signed, err)
		}
		answer := signed.Sign(bytes.Clone(plain), now)
		if room := signed.Room() - (len(answer) - len(plain)); room < 0 || room > 6 {
			t.Errorf("%s: the record takes %d bytes, Room says %d", algorithm, len(answer)-len(plain), signed.Room())
		}
		if err := dns.TsigVerify(bytes.Clone(answer), testSecret, theirMAC, false); err != nil {
			t.Errorf("%s: our answer: %v", algorithm, err)
		}
		stream := signed.stream()
		last := theirMAC
		for i := range 3 {
			b := stream.next(bytes.Clone(plain), now)
			if err := dns.TsigVerify(bytes.Clone(b), testSecret, last, i > 0); err != nil {
				t.Errorf("%s: our message %d: %v", algorithm, i, err)
			}
			var got dns.Msg
			if err := got.Unpack(b); err != nil {
				t.Fatal(err)
			}
			last = got.IsTsig().MAC
		}
	}
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// TestTSIGRefused verifies requests that are not right.
func TestTSIGRefused(t *testing.T) {
	now := time.Now()
	k := testKey(t, "hmac-sha256")
	keys := Keys{k.Name: k}
	other := newKey(t, "xfr.example.net", "hmac-sha256", base64.StdEncoding.EncodeToString([]byte("another secret of some bytes")))
	unknown := newKey(t, "unknown.example.net", "hmac-sha256", testSecret)
	sign := func(k *Key, at time.Time) []byte {
		b, _ := k.signRequest(question(t), at)
		return b
	}
	for name, c := range map[string]struct {
		request []byte
		want    uint16
	}{
		"unknown key":       {sign(unknown, now), dns.RcodeBadKey},
		"other algorithm":   {sign(testKey(t, "hmac-sha512"), now), dns.RcodeBadKey},
		"other secret":      {sign(other, now), dns.RcodeBadSig},
		"clock behind":      {sign(k, now.Add(-301*time.Second)), dns.RcodeBadTime},
		"clock ahead":       {sign(k, now.Add(301*time.Second)), dns.RcodeBadTime},
		"old but in time":   {sign(k, now.Add(-300*time.Second)), 0},
		"ahead but in time": {sign(k, now.Add(300*time.Second)), 0},
	} {
		_, s, err := keys.Verify(bytes.Clone(c.request), now)
		if err != nil || s == nil || s.Error != c.want || (s.Key != nil) != (c.want == 0) {
			t.Errorf("%s: %+v, %v; want error %d", name, s, err, c.want)
			continue
		}
		var m dns.Msg
		if err := m.Unpack(s.Sign(question(t), now)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := m.IsTsig()
		if r == nil || r.Error != c.want || (r.MACSize > 0) != (c.want == 0 || c.want == dns.RcodeBadTime) || (r.OtherLen == 6) != (c.want == dns.RcodeBadTime) {
			t.Errorf("%s: answer %v", name, r)
		}
	}
	request := sign(k, now)
	changed := bytes.Clone(request)
	changed[13] ^= 0x20
	if _, s, err := keys.Verify(changed, now); err != nil || s.Error != dns.RcodeBadSig {
		t.Errorf("changed request: %+v, %v", s, err)
	}
	if _, s, err := keys.Verify(question(t), now); err != nil || s != nil {
		t.Errorf("unsigned request: %+v, %v", s, err)
	}
	if _, _, err := keys.Verify(append(bytes.Clone(request), 0), now); !errors.Is(err, errFormat) {
		t.Errorf("bytes behind the signature: %v", err)
	}
	for n := range request {
		if _, s, err := keys.Verify(bytes.Clone(request[:n]), now); err == nil && (s != nil || n != len(question(t))) {
			t.Errorf("%d bytes: no error", n)
		}
	}
}

// TestTSIGStream verifies streams that are not right.
func TestTSIGStream(t *testing.T) {
	now := time.Now()
	k := testKey(t, "hmac-sha256")
	_, mac := k.signRequest(question(t), now)
	s := &Signed{Key: k, record: &tsig{mac: mac}}
	stream := s.stream()
	first, second := stream.next(question(t), now), stream.next(question(t), now)
	verify := func(messages ...[]byte) error {
		v := newVerifier(k, mac)
		for _, m := range messages {
			if _, err := v.next(bytes.Clone(m), now); err != nil {
				return err
			}
		}
		return v.end()
	}
	if err := verify(first, second); err != nil {
		t.Error(err)
	}
	for name, messages := range map[string][][]byte{
		"nothing":               {},
		"unsigned":              {question(t)},
		"unsigned at the end":   {first, question(t)},
		"exchanged":             {second, first},
		"repeated":              {first, first},
		"unsigned in between":   {first, question(t), second},
		"too many are unsigned": append([][]byte{first}, slicesOf(question(t), 100)...),
	} {
		if err := verify(messages...); !errors.Is(err, errTSIG) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two unsigned messages, which the signature of the third covers.
	stream = s.stream()
	first = stream.next(question(t), now)
	stream.hash.Write(question(t))
	stream.hash.Write(question(t))
	if err := verify(first, question(t), question(t), stream.next(question(t), now)); err != nil {
		t.Errorf("a signature for three messages: %v", err)
	}
	late := s.stream().next(question(t), now.Add(-time.Hour))
	if err := verify(late); !errors.Is(err, errTSIG) {
		t.Errorf("signed an hour ago: %v", err)
	}
}

func slicesOf(b []byte, n int) (out [][]byte) {
	for range n {
		out = append(out, b)
	}
	return out
}

// TestKeys: every algorithm that a key file may name signs.
func TestKeys(t *testing.T) {
	for _, algorithm := range tsigkey.Algorithms {
		k := newKey(t, "A.example.", algorithm, testSecret)
		if k.Name != "\x01a\x07example\x00" || k.mac().Size() < 20 {
			t.Errorf("%s: %+v", algorithm, k)
		}
	}
	for _, k := range []tsigkey.Key{
		{Name: "a..example", Algorithm: "hmac-sha256", Secret: []byte("0123456789abcdef")},
		{Name: "a.example", Algorithm: "hmac-md5", Secret: []byte("0123456789abcdef")},
	} {
		if got, err := NewKey(k); err == nil {
			t.Errorf("%+v made %+v", k, got)
		}
	}
}

func newKey(t testing.TB, name, algorithm, secret string) *Key {
	t.Helper()
	read, err := tsigkey.New(name, algorithm, secret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKey(read)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// FuzzTSIG gives any message to both ends: no panic, and no signature that
// nobody made.
func FuzzTSIG(f *testing.F) {
	now := time.Now()
	k := testKey(f, "hmac-sha256")
	request, mac := k.signRequest(question(f), now)
	f.Add(request)
	f.Add(question(f))
	f.Add((&Signed{Key: k, record: &tsig{mac: mac}}).stream().next(question(f), now))
	f.Fuzz(func(t *testing.T, msg []byte) {
		_, s, err := Keys{k.Name: k}.Verify(bytes.Clone(msg), now)
		if err != nil && s != nil {
			t.Fatalf("%+v beside %v", s, err)
		}
		if s != nil && s.Key != nil && !bytes.Equal(msg[2:], request[2:]) {
			t.Fatalf("a forged signature: % x", msg)
		}
		if s != nil {
			var m dns.Msg
			if err := m.Unpack(s.Sign(question(t), now)); err != nil {
				t.Fatal(err)
			}
		}
		v := newVerifier(k, mac)
		_, _ = v.next(bytes.Clone(msg), now)
	})
}
