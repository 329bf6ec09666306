package spftrack

import "testing"

func TestKind(t *testing.T) {
	want := map[Kind]string{KindOther: "other", KindExists: "exists", KindExp: "exp", KindClassic: "classic", KindMinimised: "minimised", KindSMTP: "smtp", KindDMARC: "dmarc", KindRefusal: "refusal"}
	for k, name := range want {
		if k.String() != name {
			t.Errorf("Kind(%d) = %q, want %q", k, k, name)
		}
		if got, err := ParseKind(name); got != k || err != nil {
			t.Errorf("ParseKind(%q) = %v, %v", name, got, err)
		}
	}
	if got := Kind(99).String(); got != "kind99" {
		t.Errorf("Kind(99) = %q", got)
	}
	if got, err := ParseKind("Exists"); err == nil {
		t.Errorf(`ParseKind("Exists") = %v`, got)
	}
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		flags Flags
		want  string
	}{
		{0, ""},
		{FlagTruncated, "truncated"},
		{FlagUnparsed, "unparsed"},
		{FlagRetry | FlagTruncated, "truncated,retry"},
		{FlagTruncated | FlagUnparsed | FlagRetry | FlagAmbiguous, "truncated,unparsed,retry,ambiguous"},
	} {
		if got := test.flags.String(); got != test.want {
			t.Errorf("Flags(%d) = %q, want %q", test.flags, got, test.want)
		}
		if got, err := ParseFlags(test.want); got != test.flags || err != nil {
			t.Errorf("ParseFlags(%q) = %d, %v", test.want, got, err)
		}
	}
	if got := (FlagRetry | 0x80).String(); got != "retry,0x80" {
		t.Errorf("unknown bit: %q", got)
	}
	for _, s := range []string{"x", ",", "retry,", "retry, truncated"} {
		if got, err := ParseFlags(s); err == nil {
			t.Errorf("ParseFlags(%q) = %v", s, got)
		}
	}
}

func TestTransport(t *testing.T) {
	for _, tr := range []Transport{TransportUDP, TransportTCP} {
		text, err := tr.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Transport
		if err := got.UnmarshalText(text); err != nil || got != tr {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := ParseTransport("quic"); err == nil {
		t.Errorf(`ParseTransport("quic") = %v`, got)
	}
	if got := Transport(7).String(); got != "transport7" {
		t.Errorf("Transport(7) = %q", got)
	}
}
