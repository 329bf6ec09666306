// Command readarrow reads Parquet files with arrow-go: the types of columns and all
// rows as texts, times as numbers, as JSON. It does without arrow-go's package pqarrow,
// which takes minutes to compile.
//
//	readarrow FILE ...
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
)

type read struct {
	Types   map[string]string
	Columns []string
	Rows    [][]string
}

func main() {
	r := read{Types: map[string]string{}}
	for _, path := range os.Args[1:] {
		if err := r.file(path); err != nil {
			fmt.Fprintln(os.Stderr, path+":", err)
			os.Exit(1)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(&r); err != nil {
		os.Exit(1)
	}
}

func (r *read) file(path string) error {
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	schema := f.MetaData().Schema
	r.Columns = nil
	for i := range schema.NumColumns() {
		c := schema.Column(i)
		r.Columns = append(r.Columns, c.Name())
		r.Types[c.Name()] = c.PhysicalType().String() + " " + c.LogicalType().String()
	}
	for i := range f.NumRowGroups() {
		group := f.RowGroup(i)
		rows := make([][]string, group.NumRows())
		for k := range schema.NumColumns() {
			chunk, err := group.Column(k)
			if err != nil {
				return err
			}
			if err := cells(chunk, rows); err != nil {
				return fmt.Errorf("column %s: %w", schema.Column(k).Name(), err)
			}
		}
		r.Rows = append(r.Rows, rows...)
	}
	return nil
}

// cells appends the values of a column to rows.
func cells(chunk file.ColumnChunkReader, rows [][]string) error {
	n := int64(len(rows))
	switch c := chunk.(type) {
	case *file.Int64ColumnChunkReader:
		return texts(rows, make([]int64, n), c.ReadBatch)
	case *file.Int32ColumnChunkReader:
		return texts(rows, make([]int32, n), c.ReadBatch)
	case *file.BooleanColumnChunkReader:
		return texts(rows, make([]bool, n), c.ReadBatch)
	case *file.ByteArrayColumnChunkReader:
		return texts(rows, make([]parquet.ByteArray, n), c.ReadBatch)
	}
	return fmt.Errorf("a reader of type %T", chunk)
}

func texts[T any](rows [][]string, values []T, read func(int64, []T, []int16, []int16) (int64, int, error)) error {
	for from := 0; from < len(rows); {
		_, n, err := read(int64(len(rows)-from), values, nil, nil)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%d values of %d", from, len(rows))
		}
		for i, v := range values[:n] {
			rows[from+i] = append(rows[from+i], fmt.Sprint(v))
		}
		from += n
	}
	return nil
}
