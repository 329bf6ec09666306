package chart

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// elements are those of a chart, which must be well-formed XML; attributes by name.
func elements(t *testing.T, text string) (list []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if e, ok := token.(xml.StartElement); ok {
			list = append(list, e.Copy())
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func TestDraw(t *testing.T) {
	var list []Interval
	for i := range 40 {
		list = append(list, Interval{
			Label: fmt.Sprint(i), Title: `<script>"&'`, Now: uint64(i), Before: uint64(78 - i), Link: "/?since=a&until=b", From: "a", To: "b",
		})
	}
	drawn, err := Large.Draw(`"><script>`, list)
	if err != nil {
		t.Fatal(err)
	}
	bars, labels, seconds, lines := 0, 0, 0, 0
	for _, e := range elements(t, string(drawn)) {
		switch {
		case e.Name.Local == "script" || attribute(e, "style") != "":
			t.Error("script or style")
		case attribute(e, "class") == "bar":
			if bars == 39 && attribute(e, "height") != "100.0" {
				t.Errorf("the last bar, half of the greatest number, is %s high", attribute(e, "height"))
			}
			bars++
		case e.Name.Local == "text":
			labels++
			if attribute(e, "class") == "second" {
				seconds++
			}
		case e.Name.Local == "polyline":
			lines++
			if n := len(strings.Fields(attribute(e, "points"))); n != 40 {
				t.Errorf("%d points", n)
			}
		case e.Name.Local == "a" && attribute(e, "href") != "/?since=a&until=b":
			t.Error(e)
		}
	}
	if bars != 40 || labels != 1+labels0 || seconds != labels0/2 || lines != 1 {
		t.Errorf("%d bars, %d labels, %d lines", bars, labels, lines)
	}
}

// labels0 is how many of 40 intervals have labels.
const labels0 = 8

// TestLastLabel: 25 intervals, as many as a day touches, have room for six labels of eight.
func TestLastLabel(t *testing.T) {
	list := make([]Interval, 25)
	for i := range list {
		list[i].Label = "11-27 14:00"
	}
	drawn, err := Large.Draw("a day", list)
	if err != nil {
		t.Fatal(err)
	}
	var at []string
	for _, e := range elements(t, string(drawn)) {
		if e.Name.Local == "text" && attribute(e, "y") != "-6" {
			at = append(at, attribute(e, "x")+attribute(e, "class"))
		}
	}
	if got, want := strings.Join(at, " "), "3.8 157.4second 311.0 464.6second 618.2 771.8second"; got != want {
		t.Errorf("labels at %s, want %s", got, want)
	}
}

func TestEmpty(t *testing.T) {
	for _, list := range [][]Interval{nil, {{Label: "x"}}} {
		drawn, err := Small.Draw("nothing", list)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range elements(t, string(drawn)) {
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || e.Name.Local == "polyline" {
					t.Error(e)
				}
			}
		}
	}
}
