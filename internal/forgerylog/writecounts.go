package forgerylog

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/eventrow"
)

// WriteRanking writes a ranking.
func WriteRanking(w io.Writer, f Format, r *Ranking) error {
	switch f {
	case JSON:
		return rankingJSON(w, r)
	case CSV:
		return rankingCSV(w, r)
	}
	header := []string{"COUNT", "SHARE"}
	for _, f := range r.By.Parts() {
		header = append(header, strings.ToUpper(string(f)))
	}
	t := newTableWriter(w, header...)
	t.right[0], t.right[1] = true, true
	for _, k := range r.Ranks {
		share := strconv.FormatFloat(100*float64(k.Count)/float64(r.Total), 'f', 1, 64) + "%"
		if err := t.add(slices.Concat([]string{strconv.FormatUint(k.Count, 10), share}, k.shown())...); err != nil {
			return err
		}
	}
	if err := t.note(r.summary()); err != nil {
		return err
	}
	return t.flush()
}

// shown are the values of a rank, one for each field.
func (k Rank) shown() []string {
	values := strings.Split(k.Value, "\t")
	for i, v := range values {
		words := strings.Split(v, " ")
		for j := range words {
			words[j] = eventrow.Shown(words[j])
		}
		values[i] = strings.Join(words, " ")
	}
	return values
}

func (r *Ranking) summary() string {
	text := number(r.Total, r.Counted)
	if r.Unknown > 0 {
		text += fmt.Sprintf(", %d of them without a value", r.Unknown)
	}
	text += fmt.Sprintf("; %s", number(r.Distinct, r.noun()))
	if r.Having > 0 {
		text += fmt.Sprintf("; shown are those counted %d times or more", r.Having)
	}
	return text
}

func (r *Ranking) noun() string {
	if len(r.By.Parts()) > 1 {
		return "different pair"
	}
	return "different value"
}

// number is a number with its noun.
func number(n uint64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatUint(n, 10) + " " + noun
}

type rankJSON struct {
	// Value is a text, or two in a list.
	Value any    `json:"value"`
	Count uint64 `json:"count"`
}

func rankingJSON(w io.Writer, r *Ranking) error {
	values := make([]rankJSON, len(r.Ranks))
	for i, k := range r.Ranks {
		values[i] = rankJSON{k.shown(), k.Count}
		if shown := k.shown(); len(shown) == 1 {
			values[i].Value = shown[0]
		}
	}
	return document(w, struct {
		By       Field      `json:"by"`
		Total    uint64     `json:"total"`
		Unknown  uint64     `json:"unknown"`
		Distinct uint64     `json:"distinct"`
		Values   []rankJSON `json:"values"`
	}{r.By, r.Total, r.Unknown, r.Distinct, values})
}

func document(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func rankingCSV(w io.Writer, r *Ranking) error {
	c := csv.NewWriter(w)
	lines := [][]string{append([]string{"count"}, strings.Split(string(r.By), ",")...)}
	for _, k := range r.Ranks {
		line := []string{strconv.FormatUint(k.Count, 10)}
		for _, v := range k.shown() {
			line = append(line, noFormula(v))
		}
		lines = append(lines, line)
	}
	return c.WriteAll(lines)
}

// bucketTime has the layout of times in the table, by unit.
var bucketTime = map[Unit]string{Minute: "2006-01-02T15:04Z", Hour: "2006-01-02T15:04Z", Day: "2006-01-02"}

const (
	// tableGap and fileGap are how many empty units are written one by one.
	tableGap = 24
	fileGap  = 10_000
	maxBar   = 60
)

// WriteSeries writes a series; a table with bars when it may be width columns
// wide. A unit without events is written as 0, but no long row of them: a
// table tells their number, the other formats leave them out.
func WriteSeries(w io.Writer, f Format, s *Series, width int) error {
	switch f {
	case JSON:
		return seriesJSON(w, s)
	case CSV:
		return seriesCSV(w, s)
	}
	t := newTableWriter(w, "TIME", "COUNT", "")
	t.right[1] = true
	greatest := uint64(0)
	for _, b := range s.Buckets {
		greatest = max(greatest, b.Count)
	}
	digits := max(len(strconv.FormatUint(greatest, 10)), len("COUNT"))
	bar := min(width-len(bucketTime[s.Per])-2-digits-2, maxBar)
	err := s.eachBucket(tableGap, func(b Bucket) error {
		return t.add(formatTime(b.Start, bucketTime[s.Per]), strconv.FormatUint(b.Count, 10), hashes(b.Count, greatest, bar))
	}, func(n int64) error {
		return t.note(fmt.Sprintf("... %s without events", number(uint64(n), string(s.Per))))
	})
	if err != nil {
		return err
	}
	return t.flush()
}

// hashes is a bar of at most width characters, at least one for any event.
func hashes(n, greatest uint64, width int) string {
	if n == 0 || width < 1 {
		return ""
	}
	return strings.Repeat("#", max(1, int(math.Round(float64(n)/float64(greatest)*float64(width)))))
}

type bucketJSON struct {
	Time  string `json:"time"`
	Count uint64 `json:"count"`
}

func seriesJSON(w io.Writer, s *Series) error {
	buckets := []bucketJSON{}
	_ = s.eachBucket(fileGap, func(b Bucket) error {
		buckets = append(buckets, bucketJSON{formatTime(b.Start, eventrow.ExactTime), b.Count})
		return nil
	}, func(int64) error { return nil })
	return document(w, struct {
		Per     Unit         `json:"per"`
		Total   uint64       `json:"total"`
		Buckets []bucketJSON `json:"buckets"`
	}{s.Per, s.Total, buckets})
}

func seriesCSV(w io.Writer, s *Series) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"time", "count"}); err != nil {
		return err
	}
	err := s.eachBucket(fileGap, func(b Bucket) error {
		return c.Write([]string{formatTime(b.Start, eventrow.ExactTime), strconv.FormatUint(b.Count, 10)})
	}, func(int64) error { return nil })
	if err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}
