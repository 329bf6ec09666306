package named

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"testing"
)

// rawZone is a zone file in raw format: an RRset NS before the SOA record.
func rawZone(t *testing.T) []byte {
	t.Helper()
	text, err := hex.DecodeString("000000020000000165c0ffee000000010000006400000000" +
		"00000025" + "00010002000000000e1000000001" + "0003" + "016100" + "000c" + "026e73076578616d706c6500" +
		"00000033" + "00010006000000000e1000000001" + "0003" + "016100" + "001a" + "016e00" + "016800" +
		"0000007b" + "00000e10" + "0000003c" + "00015180" + "0000003c")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRawSerial reads the serial number of the zone, not that of its source, and
// no damaged file leads further than to its end.
func TestRawSerial(t *testing.T) {
	if _, err := rawSerial(t.TempDir() + "/missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	file := t.TempDir() + "/a.zone.signed"
	read := func(text []byte) (uint32, error) {
		t.Helper()
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return rawSerial(file)
	}
	zone := rawZone(t)
	if n, err := read(zone); err != nil || n != 123 {
		t.Errorf("%d, %v, want 123", n, err)
	}
	for i := range zone {
		if n, err := read(zone[:i]); err == nil {
			t.Errorf("of the first %d bytes, %d is the serial number", i, n)
		}
		for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			damaged := bytes.Clone(zone)
			damaged[i] = b
			_, _ = read(damaged)
		}
	}
	if _, err := read([]byte("$ORIGIN a.example.\n@ IN SOA ns1.example.net. h.example.net. 110 1 1 1 1\n")); err == nil {
		t.Error("a text is read as raw format")
	}
}
