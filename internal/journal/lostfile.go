package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The counts of lost events are also in the file LOST, which is written within
// lostEvery of a loss: MANIFEST has those of the last minute only when something
// was sealed. It has two slots of lostSlot bytes, written in turn and in place, so
// that a full disk does not matter and one slot is whole at any time. A slot is
// text, with zeros behind it:
//
//	nullspf-lost	1
//	ring_full	3
//	end	<CRC-32C of all before>
const (
	lostName    = "LOST"
	lostVersion = "nullspf-lost\t1\n"
	lostSlot    = 512
	lostEvery   = 500 * time.Millisecond
)

// keepLosses writes LOST when the counts have changed, until stop is closed.
func (j *Journal) keepLosses(stop <-chan struct{}) {
	ticker := time.NewTicker(lostEvery)
	defer ticker.Stop()
	written, slot := j.lostBefore, int64(0)
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
		lost := j.lostEver()
		if lost == written || j.place.Load().lost() {
			continue
		}
		// A disk that fails is known from the events themselves.
		if j.contain("counting losses", func() error { return writeLost(j.settings.Dir, slot, lost) }) == nil {
			written, slot = lost, 1-slot
		}
	}
}

// writeLost writes a slot of LOST, 0 or 1.
func writeLost(dir string, slot int64, lost Lost) error {
	b := []byte(lostVersion)
	for r, n := range lost {
		if n > 0 {
			b = fmt.Appendf(b, "%s\t%d\n", Reason(r), n)
		}
	}
	b = fmt.Appendf(b, "end\t%08x\n", sum(b))
	f, err := os.OpenFile(filepath.Join(dir, lostName), os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(append(b, make([]byte, lostSlot-len(b))...), slot*lostSlot)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// readLost returns the greatest counts in LOST. A slot that is torn or damaged, or
// a file that is not there, counts as zero: MANIFEST has the counts of some time
// before.
func readLost(dir string) (lost Lost) {
	f, err := os.Open(filepath.Join(dir, lostName))
	if err != nil {
		return lost
	}
	defer f.Close()
	for slot := range int64(2) {
		b := make([]byte, lostSlot)
		n, _ := f.ReadAt(b, slot*lostSlot)
		text, _, _ := bytes.Cut(b[:n], []byte{0})
		lost.raise(parseLost(string(text)))
	}
	return lost
}

// parseLost reads the text of a slot.
func parseLost(text string) (lost Lost) {
	body, end, ok := cutEnd(text)
	if !ok || end != fmt.Sprintf("%08x", sum([]byte(body))) || !strings.HasPrefix(body, lostVersion) {
		return lost
	}
	for line := range strings.Lines(body[len(lostVersion):]) {
		name, count, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		reason, known := parseReason(name)
		n, err := strconv.ParseUint(count, 10, 64)
		if known && err == nil {
			lost[reason] = n
		}
	}
	return lost
}

// raise takes the greater count of each reason.
func (l *Lost) raise(other Lost) {
	for r := range l {
		l[r] = max(l[r], other[r])
	}
}
