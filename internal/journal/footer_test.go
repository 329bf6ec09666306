package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/snappy"

	"nullspf/internal/eventrow"
)

// someSegments are small segments: those of version 1, and one of today.
func someSegments(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../forgerylog/testdata/version1/seg/*/*.parquet")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	segments := make(map[string][]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		segments[filepath.Base(path)] = data
	}
	s := sealSoon(testSettings(t))
	j := mustOpen(t, s)
	putAll(t, j, 1, 40)
	waitUntil(t, "all is sealed", func() bool { return j.Stats().SegmentEvents == 40 })
	mustClose(t, j)
	m, err := loadManifest(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir, filepath.FromSlash(m.Segments[0].Path())))
	if err != nil {
		t.Fatal(err)
	}
	segments["today"] = data
	return segments
}

func checkAll(data []byte) error {
	f, err := readFooter(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	return f.checkPages(bytes.NewReader(data))
}

func TestFooters(t *testing.T) {
	for name, data := range someSegments(t) {
		if err := checkAll(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFootersRefused has files of other programs and settings.
func TestFootersRefused(t *testing.T) {
	rows := []eventrow.Row{{Seq: 1, TS: 2}}
	write := func(options ...parquet.WriterOption) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[eventrow.Row](&b, append([]parquet.WriterOption{parquet.Compression(&parquet.Zstd)}, options...)...)
		if _, err := w.Write(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	if err := checkAll(write()); err != nil {
		t.Fatal(err)
	}
	type other struct {
		Seq int64 `parquet:"seq,delta"`
	}
	var foreign bytes.Buffer
	if err := parquet.Write(&foreign, []other{{1}}); err != nil {
		t.Fatal(err)
	}
	// What a reader takes for nanoseconds must not be another unit.
	timesAs := func(node parquet.Node) []byte {
		group := parquet.Group{}
		for _, f := range parquet.SchemaOf(eventrow.Row{}).Fields() {
			group[f.Name()] = f
		}
		group[eventrow.TS.Name] = node
		return write(parquet.NewSchema("Row", group))
	}
	if err := checkAll(timesAs(parquet.TimestampAdjusted(parquet.Nanosecond, false))); err != nil {
		t.Error(err)
	}
	for name, data := range map[string][]byte{
		"codec":   write(parquet.Compression(&snappy.Codec{})),
		"columns": foreign.Bytes(),
		"micros":  timesAs(parquet.TimestampAdjusted(parquet.Microsecond, false)),
		"millis":  timesAs(parquet.TimestampAdjusted(parquet.Millisecond, false)),
		"utc":     timesAs(parquet.Timestamp(parquet.Nanosecond)),
		"nothing": nil,
		"zeros":   make([]byte, 1000),
		"text":    bytes.Repeat([]byte("PAR1"), 100),
	} {
		if err := checkAll(data); !errors.Is(err, errFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFooter: whatever a file holds, looking at it does not panic, and the
// Parquet reader opens what was accepted without panic.
func FuzzFooter(f *testing.F) {
	for _, data := range someSegments(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkAll(data) == nil {
			_, _ = parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true))
		}
	})
}
