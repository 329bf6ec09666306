// Package eventrow is the schema of an event: which columns it has, how each is
// made of an event, stored in a segment, read from it and shown.
//
// [Row] declares how the columns are stored, [Columns] lists them. Everything
// that handles all columns goes by that list: the Parquet files, JSON, CSV,
// tables, the document of the journal. CONTRIBUTING.md says how to add one.
package eventrow

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"nullspf/spftrack"
)

// Column is a column of the schema.
type Column struct {
	// Name is its name in segments, JSON and CSV.
	Name string
	// Heading stands above it in tables, "" for a column that no table shows.
	Heading string
	// Meaning is for documents.
	Meaning string
	// Added: segments of earlier versions lack it; its value is zero there.
	Added bool
	// Index is its place in [Columns].
	Index int
	// Kind is its physical type in segments.
	Kind parquet.Kind
	// Dictionary: segments may have its values as places in a dictionary.
	Dictionary bool

	// offset is that of its field in a row.
	offset  uintptr
	quoted  bool
	show    func([]byte, *Row) []byte
	brief   func(*Row) string
	set     func(*Row, parquet.Value)
	restore func(*Row, *spftrack.Event)
	clone   func(*Row)
}

// Set puts a value, whose kind is that of the column, into a row. Texts stay in
// the memory of the value.
func (c *Column) Set(r *Row, v parquet.Value) { c.set(r, v) }

// Text is the value of a column of kind [parquet.ByteArray].
func (c *Column) Text(r *Row) string { return *(*string)(unsafe.Add(unsafe.Pointer(r), c.offset)) }

// SetText puts a text into a column of kind [parquet.ByteArray].
func (c *Column) SetText(r *Row, text string) {
	*(*string)(unsafe.Add(unsafe.Pointer(r), c.offset)) = text
}

// Int64 is the value of a column of kind [parquet.Int64].
func (c *Column) Int64(r *Row) int64 { return *(*int64)(unsafe.Add(unsafe.Pointer(r), c.offset)) }

// Int32 is the value of a column of kind [parquet.Int32].
func (c *Column) Int32(r *Row) int32 { return *(*int32)(unsafe.Add(unsafe.Pointer(r), c.offset)) }

// Bool is the value of a column of kind [parquet.Boolean].
func (c *Column) Bool(r *Row) bool { return *(*bool)(unsafe.Add(unsafe.Pointer(r), c.offset)) }

// Append appends the value of a row as JSON and CSV have it: printable ASCII.
func (c *Column) Append(b []byte, r *Row) []byte { return c.show(b, r) }

// Quoted reports whether the value is a string in JSON.
func (c *Column) Quoted() bool { return c.quoted }

// Cell is the value of a row in a table: printable ASCII, "" for none.
func (c *Column) Cell(r *Row) string {
	if c.brief != nil {
		return c.brief(r)
	}
	return string(c.show(nil, r))
}

type restorer = func(*Row, *spftrack.Event)

// text makes a column of text.
func text(c Column, field func(*Row) *string, restore restorer) *Column {
	c.Kind, c.quoted = parquet.ByteArray, true
	c.set = func(r *Row, v parquet.Value) {
		b := v.ByteArray()
		*field(r) = unsafe.String(unsafe.SliceData(b), len(b))
	}
	if c.show == nil {
		c.show = func(b []byte, r *Row) []byte { return append(b, Shown(*field(r))...) }
	}
	c.clone = func(r *Row) { *field(r) = strings.Clone(*field(r)) }
	return complete(c, field(&named), restore)
}

// number makes a column of integers.
func number[N int32 | int64](c Column, field func(*Row) *N, restore restorer) *Column {
	switch any(N(0)).(type) {
	case int32:
		c.Kind = parquet.Int32
		c.set = func(r *Row, v parquet.Value) { *field(r) = N(v.Int32()) }
	default:
		c.Kind = parquet.Int64
		c.set = func(r *Row, v parquet.Value) { *field(r) = N(v.Int64()) }
	}
	if c.show == nil {
		c.show = func(b []byte, r *Row) []byte { return strconv.AppendInt(b, int64(*field(r)), 10) }
	}
	return complete(c, field(&named), restore)
}

// truth makes a column of truth values.
func truth(c Column, field func(*Row) *bool, restore restorer) *Column {
	c.Kind = parquet.Boolean
	c.set = func(r *Row, v parquet.Value) { *field(r) = v.Boolean() }
	c.show = func(b []byte, r *Row) []byte { return strconv.AppendBool(b, *field(r)) }
	return complete(c, field(&named), restore)
}

// named is the row whose fields' places tell the names of columns.
var named Row

// complete finishes a column, whose name is in the tag of its field of named.
func complete(c Column, field any, restore restorer) *Column {
	row := reflect.ValueOf(&named).Elem()
	for i := range row.NumField() {
		if row.Field(i).Addr().Interface() == field {
			tag := strings.Split(row.Type().Field(i).Tag.Get("parquet"), ",")
			c.Name, c.Dictionary = tag[0], slices.Contains(tag, "dict")
			c.offset = row.Type().Field(i).Offset
		}
	}
	if c.Name == "" {
		panic(fmt.Sprintf("eventrow: the field of the column %q has no tag", c.Meaning))
	}
	c.restore = restore
	return &c
}

// Clone copies a row with its texts, so that it can be kept.
func (r *Row) Clone() Row {
	row := *r
	for _, c := range Columns {
		if c.clone != nil {
			c.clone(&row)
		}
	}
	return row
}

// Event makes e what the row was made of.
func (r *Row) Event(e *spftrack.Event) {
	*e = spftrack.Event{}
	for _, c := range Columns {
		c.restore(r, e)
	}
}
