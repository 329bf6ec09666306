package eventrow

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"
)

// maxJSONText bounds a text: 255 bytes, each of which may be escaped to four.
const maxJSONText = 1100

// ReadJSON makes r the row that a line of JSON holds, an object with the names of columns, as
// the events of nullspf log are written. Columns that earlier versions lack may be missing.
func (r *Row) ReadJSON(line []byte) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return err
	}
	*r = Row{}
	for name, value := range object {
		i := slices.IndexFunc(Columns, func(c *Column) bool { return c.Name == name })
		if i < 0 {
			return fmt.Errorf("no column is called %.40q", name)
		}
		if err := Columns[i].readJSON(r, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, c := range Columns {
		if _, ok := object[c.Name]; !ok && !c.Added {
			return fmt.Errorf("it has no %s", c.Name)
		}
	}
	return nil
}

// readJSON sets the column of a row.
func (c *Column) readJSON(r *Row, value []byte) error {
	switch {
	case c == TS:
		var at time.Time
		if err := json.Unmarshal(value, &at); err != nil {
			return err
		}
		if ns := at.UnixNano(); !time.Unix(0, ns).Equal(at) {
			return errors.New("it is out of range")
		}
		c.set(r, parquet.Int64Value(at.UnixNano()))
	case c.Kind == parquet.ByteArray:
		var text string
		if err := json.Unmarshal(value, &text); err != nil {
			return err
		}
		if len(text) > maxJSONText {
			return fmt.Errorf("it has more than %d bytes", maxJSONText)
		}
		c.set(r, parquet.ByteArrayValue([]byte(text)))
	case c.Kind == parquet.Int64:
		var n int64
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
		c.set(r, parquet.Int64Value(n))
	case c.Kind == parquet.Int32:
		var n int32
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
		c.set(r, parquet.Int32Value(n))
	case c.Kind == parquet.Boolean:
		var truth bool
		if err := json.Unmarshal(value, &truth); err != nil {
			return err
		}
		c.set(r, parquet.BooleanValue(truth))
	}
	return nil
}
