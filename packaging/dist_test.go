package packaging_test

import (
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// TestDist builds what a release consists of, and a part of it twice, to the same
// bytes.
func TestDist(t *testing.T) {
	peers.Require(t, "make", "sha256sum", "tar", "gzip")
	dir, again := t.TempDir(), t.TempDir()
	run(t, "make", "dist", "DIST="+dir)
	run(t, "make", "dist", "DIST="+again, "ARCHITECTURES=amd64")
	sums := readFile(t, dir, "SHA256SUMS")
	files := make(map[string]bool)
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		files[name] = true
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(readFile(t, dir, name)))); got != sum {
			t.Errorf("%s: SHA-256 %s, SHA256SUMS says %s", name, got, sum)
		}
		if strings.HasSuffix(name, ".cdx.json") {
			checkBOM(t, filepath.Join(dir, name))
		}
	}
	for line := range strings.Lines(readFile(t, again, "SHA256SUMS")) {
		if strings.Contains(line, "amd64.tar") && !strings.Contains(sums, line) {
			t.Errorf("another build of one commit has\n%samong\n%s", line, sums)
		}
	}
	modules := make(map[string][]string)
	for _, arch := range []string{"amd64", "arm64"} {
		for _, program := range []string{"nullspf", "nullspfd"} {
			path := filepath.Join(dir, "linux-"+arch, program)
			checkStatic(t, path)
			info, err := buildinfo.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range info.Deps {
				modules[program+" "+arch] = append(modules[program+" "+arch], m.Path+"@"+m.Version)
			}
		}
		if matches, _ := filepath.Glob(filepath.Join(dir, "nullspf-*-linux-"+arch+".tar.gz")); len(matches) != 1 || !files[filepath.Base(matches[0])] {
			t.Errorf("tarballs of %s: %v, listed are %v", arch, matches, slices.Sorted(maps.Keys(files)))
		}
	}
	// Hence one bill of materials for all architectures.
	for _, program := range []string{"nullspf", "nullspfd"} {
		if !slices.Equal(modules[program+" amd64"], modules[program+" arm64"]) {
			t.Errorf("%s: the modules depend on the architecture: %v, %v", program, modules[program+" amd64"], modules[program+" arm64"])
		}
	}
	if len(files) != 4 {
		t.Errorf("%d files: %v", len(files), slices.Sorted(maps.Keys(files)))
	}
}

// checkStatic: no interpreter, no shared library.
func checkStatic(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is not static: it has a segment %v", path, p.Type)
		}
	}
}

// checkBOM: CycloneDX, with the modules and nearly all licences.
func checkBOM(t *testing.T, path string) {
	t.Helper()
	var bom struct {
		Format     string `json:"bomFormat"`
		Components []struct {
			Name     string
			Version  string
			Evidence *struct{ Licenses []any }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, path)), &bom); err != nil {
		t.Fatal(err)
	}
	licensed := 0
	for _, c := range bom.Components {
		if c.Evidence != nil && len(c.Evidence.Licenses) > 0 {
			licensed++
		}
	}
	if bom.Format != "CycloneDX" || len(bom.Components) < 10 || licensed < len(bom.Components)*9/10 {
		t.Errorf("%s: %s with %d components, %d of them with a licence", path, bom.Format, len(bom.Components), licensed)
	}
}
