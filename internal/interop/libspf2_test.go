package interop

import (
	"bytes"
	"errors"
	"net/netip"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

var libspf2Version = regexp.MustCompile(`SPF library version: (\S+)`)

func setupLibspf2(t *testing.T) (version string, h habits) {
	t.Helper()
	peers.Require(t, "spfquery", "mount")
	// libspf2 asks the resolver of /etc/resolv.conf.
	peers.RequireNamespaces(t)
	out, err := exec.CommandContext(t.Context(), "spfquery", "-version").CombinedOutput()
	found := libspf2Version.FindSubmatch(out)
	if found == nil {
		peers.Lack(t, "spfquery is not the program of libspf2: %s (%v)", out, err)
	}
	return "libspf2 " + string(found[1]), habits{explains: true, askedTypes: 1, at: true, tooLong: "fail"}
}

func checkLibspf2(t *testing.T, s *site, resolver netip.AddrPort, messages []envelope) []verdict {
	t.Helper()
	conf := s.write(t, "resolv-"+resolver.Addr().String(), "nameserver "+resolver.Addr().String()+"\n")
	var verdicts []verdict
	for _, m := range messages {
		cmd := withResolvConf(conf, "spfquery", "-ip", m.IP, "-sender", m.Sender, "-helo", m.HELO)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		// The exit code stands for the result.
		out, err := cmd.Output()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatalf("spfquery: %v", err)
		}
		result, rest, ok := strings.Cut(string(out), "\n")
		if !ok || strings.HasPrefix(result, "Start") {
			t.Fatalf("spfquery: %s%s", out, stderr.String())
		}
		explanation, _, _ := strings.Cut(rest, "\n")
		explanation, _, _ = strings.Cut(explanation, " : ")
		verdicts = append(verdicts, verdict{result, explanation})
	}
	return verdicts
}
