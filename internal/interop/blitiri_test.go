package interop

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"blitiri.com.ar/go/spf"
)

const blitiriModule = "blitiri.com.ar/go/spf"

func setupBlitiri(t *testing.T) (version string, h habits) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", blitiriModule).Output()
	if err != nil {
		t.Fatalf("go list -m %s: %v", blitiriModule, err)
	}
	return blitiriModule + " " + strings.TrimSpace(string(out)), habits{askedTypes: 2, tooLong: "fail"}
}

func checkBlitiri(t *testing.T, _ *site, resolver netip.AddrPort, messages []envelope) []verdict {
	t.Helper()
	stub := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, resolver.String())
	}}
	var verdicts []verdict
	for _, m := range messages {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		// The error says which mechanism matched.
		result, _ := spf.CheckHostWithSender(net.ParseIP(m.IP), m.HELO, m.Sender, spf.WithContext(ctx), spf.WithResolver(absolute{stub}))
		cancel()
		verdicts = append(verdicts, verdict{result: string(result)})
	}
	return verdicts
}

// absolute keeps the search list of the machine out of names.
type absolute struct{ *net.Resolver }

func (r absolute) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return r.Resolver.LookupTXT(ctx, strings.TrimSuffix(name, ".")+".")
}

func (r absolute) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	return r.Resolver.LookupIPAddr(ctx, strings.TrimSuffix(name, ".")+".")
}
