package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/spftrack"
)

// testWAL makes a wal file in memory: blocks of the given numbers of events,
// with ids equal to the sequence numbers. It returns where each block begins.
func testWAL(t testing.TB, version int, counts []int, end bool) (data []byte, name walName, offsets []int) {
	t.Helper()
	h := walHeader{version: version, key: 0x1122334455667788, first: 1, bound: 1 + walReserve, server: "ns1",
		zones: []walZone{{testZone, []spftrack.Layout{spftrack.Track}}}}
	data, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	seq := uint64(1)
	for _, n := range counts {
		offsets = append(offsets, len(data))
		blk := block{kind: blockEvents, first: seq, count: n}
		var records []byte
		for range n {
			var b [maxRecord]byte
			records = append(records, b[:putRecord(b[:], idPacket(int(seq)))]...)
			seq++
		}
		if blk.payload = records; version > 1 {
			blk.kind, blk.payload = blockPacked, newPacker(h.zones).packAll(nil, records)
		}
		data = appendBlockHeader(data, h.key, &blk)
		data = append(data, blk.payload...)
	}
	if end {
		offsets = append(offsets, len(data))
		data = appendBlockHeader(data, h.key, &block{kind: blockEnd, first: seq})
	}
	return data, walName{1, h.key}, offsets
}

// readWALBytes reads a wal file from memory.
func readWALBytes(data []byte, name walName) (ids map[uint64]*spftrack.Event, order []uint64, err error) {
	r := bytes.NewReader(data)
	h, blocks, _, err := readWALHeader(r, name.key)
	if err != nil {
		return nil, nil, err
	}
	b := blockReader{r: r, size: int64(len(data)), key: h.key, first: h.first, bound: h.bound, offset: blocks, packer: newPacker(h.zones)}
	d := newDecoder(h, nil)
	ids = make(map[uint64]*spftrack.Event)
	for {
		blk, err := b.next()
		if err == io.EOF || errors.Is(err, errTorn) {
			return ids, order, nil
		}
		if err != nil {
			return nil, nil, err
		}
		err = d.events(&blk, 0, func(list []spftrack.Event) error {
			for _, e := range list {
				ids[e.Seq] = &e
				order = append(order, e.Seq)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
}

// checkRead fails on a wrong event, and returns which blocks are missing.
func checkRead(t *testing.T, what string, at int, data []byte, name walName, counts []int) (lost []int) {
	t.Helper()
	events, order, err := readWALBytes(data, name)
	if err != nil {
		t.Fatalf("%s at %d: %v", what, at, err)
	}
	last := uint64(0)
	for _, seq := range order {
		if seq <= last {
			t.Fatalf("%s at %d: sequence number %d follows %d", what, at, seq, last)
		}
		last = seq
	}
	seq := uint64(1)
	for i, n := range counts {
		found := 0
		for range n {
			if e := events[seq]; e != nil {
				want := idPacket(int(seq))
				if idOf(t, e) != int(seq) || e.Time != want.Time || e.Resolver != want.Resolver || !bytes.Equal(e.Name, want.Name) {
					t.Fatalf("%s at %d: wrong event %+v", what, at, e)
				}
				found++
				delete(events, seq)
			}
			seq++
		}
		switch found {
		case n:
		case 0:
			lost = append(lost, i)
		default:
			t.Fatalf("%s at %d: %d of the %d events of block %d", what, at, found, n, i)
		}
	}
	if len(events) > 0 {
		t.Fatalf("%s at %d: invented events %v", what, at, events)
	}
	return lost
}

func TestBitFlips(t *testing.T) {
	counts := []int{3, 1, 4, 2}
	for version := 1; version <= walVersion; version++ {
		data, name, offsets := testWAL(t, version, counts, true)
		for at := range data {
			for _, bit := range []byte{1 << (at % 8), 1 << ((at + 3) % 8)} {
				data[at] ^= bit
				lost := checkRead(t, "flip", at, data, name, counts)
				data[at] ^= bit
				if at < offsets[0] && len(lost) > 0 {
					t.Fatalf("flip at %d in the header: lost %v", at, lost)
				}
				if len(lost) > 1 || len(lost) == 1 && (at < offsets[lost[0]] || at >= offsets[lost[0]+1]) {
					t.Fatalf("flip at %d: lost blocks %v", at, lost)
				}
			}
		}
	}
}

func TestTorn(t *testing.T) {
	counts := []int{3, 1, 4}
	data, name, offsets := testWAL(t, walVersion, counts, false)
	offsets = append(offsets, len(data))
	for n := offsets[0]; n <= len(data); n++ {
		whole := 0
		for whole+1 < len(offsets) && offsets[whole+1] <= n {
			whole++
		}
		for _, garbage := range []int{0, 1, 100, 5000} {
			torn := append(append([]byte(nil), data[:n]...), bytes.Repeat([]byte{0xaa}, garbage)...)
			lost := checkRead(t, "cut", n, torn, name, counts)
			if len(lost) != len(counts)-whole {
				t.Fatalf("cut at %d and %d bytes: lost %v", n, garbage, lost)
			}
		}
	}
	for n := range offsets[0] {
		if _, _, err := readWALBytes(data[:n], name); err != nil && !errors.Is(err, errHeader) {
			t.Fatalf("cut at %d: %v", n, err)
		}
	}
}

func TestOverwrittenMiddle(t *testing.T) {
	// A page of zeros, or of another file, anywhere costs the blocks it touches.
	counts := []int{5, 5, 5, 5, 5, 5}
	data, name, offsets := testWAL(t, walVersion, counts, true)
	for at := offsets[0]; at < len(data)-700; at += 13 {
		torn := append([]byte(nil), data...)
		clear(torn[at : at+700])
		touched := 0
		for i := range counts {
			if offsets[i] < at+700 && offsets[i+1] > at {
				touched++
			}
		}
		if lost := checkRead(t, "zeros", at, torn, name, counts); len(lost) != touched {
			t.Fatalf("zeros at %d: lost %v, touched %d blocks", at, lost, touched)
		}
	}
}

// TestForgedBlock puts what looks like a block into a query name.
func TestForgedBlock(t *testing.T) {
	h := walHeader{version: 1, key: 42, first: 1, bound: 1000, zones: []walZone{{testZone, nil}}}
	data, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	var rec [maxRecord]byte
	forged := block{kind: blockEvents, first: 7, count: 1}
	forged.payload = rec[:putRecord(rec[:], idPacket(666))]
	// The stranger does not know the key.
	payload := append(appendBlockHeader(nil, 43, &forged), forged.payload...)
	for _, first := range []uint64{1, 2} {
		var b [maxRecord]byte
		blk := block{kind: blockEvents, first: first, count: 1, payload: b[:putRecord(b[:], &Packet{Name: payload})]}
		data = append(appendBlockHeader(data, h.key, &blk), blk.payload...)
	}
	data[2*walSlot+3] ^= 1
	events, _, err := readWALBytes(data, walName{1, 42})
	if err != nil || len(events) != 1 || events[2] == nil {
		t.Errorf("events %v, %v", events, err)
	}
}

func TestManyZones(t *testing.T) {
	h := walHeader{version: walVersion, key: 9, first: 5, bound: 6, server: "x"}
	for range 3000 {
		h.zones = append(h.zones, walZone{strings.Repeat("z", 200), []spftrack.Layout{spftrack.Track, spftrack.Classic}})
	}
	data, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, flip := range []int{-1, 100, len(data)/2 + 100} {
		if flip >= 0 {
			data[flip] ^= 4
		}
		got, blocks, damaged, err := readWALHeader(bytes.NewReader(data), 9)
		if err != nil || len(got.zones) != 3000 || blocks != int64(len(data)) || damaged != (flip >= 0) || len(got.zones[7].layouts) != 2 {
			t.Errorf("flip %d: %v %d %v", flip, err, blocks, damaged)
		}
		if flip >= 0 {
			data[flip] ^= 4
		}
	}
}

// TestDamagedFileIsQuarantined damages a block of a closed file and lets the next
// run seal it.
func TestDamagedFileIsQuarantined(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	j := mustOpen(t, s)
	for i := range 5 {
		putAll(t, j, 10*i+1, 10*i+10)
		waitUntil(t, "a block is stored", func() bool { return j.Stats().Stored == uint64(10*i+10) })
	}
	mustClose(t, j)
	path := onlyWAL(t, s.Dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, idLabel(25))
	data[i] ^= 0x40
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	s.SegmentAge = 50 * 1e6
	j = mustOpen(t, s)
	waitUntil(t, "the file is sealed", func() bool { return j.Stats().Sealed == 40 })
	if st := j.Stats(); st.Damaged != 10 {
		t.Errorf("stats: %+v", st)
	}
	putAll(t, j, 51, 60)
	mustClose(t, j)
	events := readAll(t, s.Dir)
	checkIDs(t, events[:20], 1, 20)
	checkIDs(t, events[20:], 31, 60)
	r := checkClean(t, s.Dir)
	if len(r.Gaps) != 1 || r.Gaps[0] != (Gap{21, 30, GapDamaged}) || len(r.Notes) != 1 {
		t.Errorf("report: %+v", r)
	}
	aside, _ := filepath.Glob(filepath.Join(s.Dir, walDir, "*"+damagedSuffix))
	if len(aside) != 1 {
		t.Errorf("quarantined: %q", aside)
	}
}

// FuzzWAL reads what follows the header of a wal file, and takes the same bytes
// for a header and for a record.
func FuzzWAL(f *testing.F) {
	data, name, offsets := testWAL(f, walVersion, []int{2, 3}, true)
	header := data[:offsets[0]]
	f.Add(data[offsets[0]:])
	f.Add(data[offsets[0] : offsets[1]+20])
	f.Add(data[offsets[0]+blockHeader : offsets[1]])
	old, _, _ := testWAL(f, 1, []int{2, 3}, true)
	f.Add(old[offsets[0]:])
	f.Add(data[:150])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		_, order, err := readWALBytes(append(header[:len(header):len(header)], data...), name)
		if err != nil && !errors.Is(err, errRecord) {
			t.Fatal(err)
		}
		if len(order) > len(data)/minPacked {
			t.Fatalf("%d events of %d bytes", len(order), len(data))
		}
		if h, _, err := readHeaderCopy(bytes.NewReader(data), 0, name.key); err == nil && (h.key != name.key || h.first > h.bound) {
			t.Fatalf("header %+v", h)
		}
		var p Packet
		if n, err := getRecord(data, &p); err == nil && (n > len(data) || len(p.Name) > n) {
			t.Fatal("a record beyond its bytes")
		}
		packer := newPacker([]walZone{{name: testZone}})
		for count := range 4 {
			records, ok := packer.unpackAll(nil, data, count)
			if again, whole := packer.unpackAll(nil, packer.packAll(nil, records), count); ok && (!whole || !bytes.Equal(again, records)) {
				t.Fatalf("%x becomes %x", records, again)
			}
		}
	})
}

// TestTornHeader: a file that was being made when the process ended is no
// problem, before and after it is sealed.
func TestTornHeader(t *testing.T) {
	for _, size := range []int{0, 100, walSlot + 5, 2 * walSlot} {
		s := testSettings(t)
		j := mustOpen(t, s)
		putAll(t, j, 1, 10)
		mustClose(t, j)
		torn := filepath.Join(s.Dir, walDir, walName{11, 77}.String())
		if err := os.WriteFile(torn, make([]byte, size), 0o640); err != nil {
			t.Fatal(err)
		}
		checkIDs(t, readAll(t, s.Dir), 1, 10)
		checkClean(t, s.Dir)
		j = mustOpen(t, s)
		putAll(t, j, 11, 20)
		mustClose(t, j)
		checkIDs(t, readAll(t, s.Dir), 1, 20)
		checkClean(t, s.Dir)
		j = mustOpen(t, sealSoon(s))
		waitUntil(t, "all is sealed", func() bool { return j.Stats().WALFiles == 0 })
		mustClose(t, j)
		checkIDs(t, readAll(t, s.Dir), 1, 20)
		if r := checkClean(t, s.Dir); len(r.Notes) > 0 || j.Stats().Damaged > 0 {
			t.Errorf("notes %v, stats %+v", r.Notes, j.Stats())
		}
	}
}
