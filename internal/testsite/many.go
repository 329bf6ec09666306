package testsite

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"nullspf/zones"
)

// ManyName returns the name of a zone of [Many].
func ManyName(i int) string { return fmt.Sprintf("shop-%07d.example", i) }

// Many writes into dir what a nameserver reads of an output directory with n zones
// of one group, without the zone files.
func Many(ctx context.Context, dir string, n int) error {
	one := &Site{Dir: dir, Lists: map[*zones.Group]string{Group("generic"): "domain\n" + ManyName(0) + "\n"}}
	if err := one.Build(ctx); err != nil {
		return err
	}
	path := filepath.Join(one.Output(), "manifest")
	line, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, rest, _ := bytes.Cut(line, []byte{'\t'})
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	w := bufio.NewWriter(io.MultiWriter(f, sum))
	for i := range n {
		fmt.Fprintf(w, "%s\t%s", ManyName(i), rest)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	path = filepath.Join(one.Output(), "parked")
	parked, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	old := sha256.Sum256(line)
	parked = bytes.Replace(parked, hex.AppendEncode(nil, old[:]), hex.AppendEncode(nil, sum.Sum(nil)), 1)
	body := parked[:bytes.LastIndex(parked, []byte("end\t"))]
	return os.WriteFile(path, fmt.Appendf(body, "end\t%x\n", sha256.Sum256(body)), 0o644)
}
