package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// python is Debian's, which has Debian's modules.
const python, pyspfScript = "/usr/bin/python3", "testdata/pyspf.py"

func setupPyspf(t *testing.T) (version string, h habits) {
	t.Helper()
	peers.Require(t, python)
	out, err := exec.CommandContext(t.Context(), python, pyspfScript, "--version").CombinedOutput()
	if err != nil {
		peers.Lack(t, "pyspf: %s", out)
	}
	version = "pyspf " + strings.TrimSpace(string(out))
	h = habits{explains: true, askedTypes: 1, at: true, cuts: 1, tooLong: "fail"}
	if strings.Contains(version, "dnspython") {
		// Its names cannot be too long, and pyspf does not expect that.
		h.tooLong = "NameTooLong"
	}
	return version, h
}

func checkPyspf(t *testing.T, _ *site, resolver netip.AddrPort, messages []envelope) []verdict {
	t.Helper()
	var in, stderr bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, m := range messages {
		if err := lines.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, pyspfScript, resolver.Addr().String(), fmt.Sprint(resolver.Port()))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pyspf: %v\n%s", err, stderr.String())
	}
	var verdicts []verdict
	for line := range bytes.Lines(out) {
		var v [2]string
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("pyspf: %s: %v", line, err)
		}
		verdicts = append(verdicts, verdict{v[0], v[1]})
	}
	return verdicts
}
