package forgerylog

import (
	"bufio"
	"io"
	"strings"
)

// tableWriter writes columns for people. It looks at blocks of rows to find
// the widths, which only grow. A text that is longer than maxWidth is written
// in full and moves the rest of its line.
type tableWriter struct {
	w      *bufio.Writer
	header []string
	// right tells which columns are aligned at the right.
	right  []bool
	widths []int
	rows   [][]string
	begun  bool
}

const (
	tableBlock = 200
	maxWidth   = 40
)

func newTableWriter(w io.Writer, header ...string) *tableWriter {
	t := &tableWriter{w: bufio.NewWriter(w), header: header, widths: make([]int, len(header)), right: make([]bool, len(header))}
	t.measure(header)
	return t
}

func (t *tableWriter) measure(row []string) {
	for i, text := range row {
		t.widths[i] = max(t.widths[i], min(len(text), maxWidth))
	}
}

// add takes a row.
func (t *tableWriter) add(row ...string) error {
	t.measure(row)
	t.rows = append(t.rows, row)
	if len(t.rows) < tableBlock {
		return nil
	}
	return t.writeRows()
}

func (t *tableWriter) writeRows() error {
	if !t.begun {
		t.begun = true
		t.line(t.header)
	}
	for _, row := range t.rows {
		t.line(row)
	}
	t.rows = t.rows[:0]
	// A bufio.Writer keeps its first error.
	_, err := t.w.Write(nil)
	return err
}

func (t *tableWriter) line(row []string) {
	var b strings.Builder
	for i, text := range row {
		if i > 0 {
			b.WriteString("  ")
		}
		padding := strings.Repeat(" ", max(t.widths[i]-len(text), 0))
		if t.right[i] {
			b.WriteString(padding + text)
		} else {
			b.WriteString(text + padding)
		}
	}
	t.w.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// note writes a line outside of the columns.
func (t *tableWriter) note(text string) error {
	if err := t.writeRows(); err != nil {
		return err
	}
	_, err := t.w.WriteString(text + "\n")
	return err
}

func (t *tableWriter) flush() error {
	if err := t.writeRows(); err != nil {
		return err
	}
	return t.w.Flush()
}
