package config

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// decode reads the YAML text into out, a pointer to a struct with
// mapstructure tags, and notes the line of every key.
func (l *loader) decode(text []byte, out any) {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil {
		if err == io.EOF {
			l.fail("", "the file is empty; `nullspf init` writes one to start from")
			return
		}
		l.failSyntax(text, err)
		return
	}
	if err := decoder.Decode(&second); err == nil {
		l.failAt(second.Line, "", "a second YAML document; one file holds one configuration")
		return
	} else if err != io.EOF {
		l.failSyntax(text, err)
		return
	}
	l.index("", doc.Content[0], reflect.TypeOf(out).Elem())
	if len(l.faults) > 0 {
		return
	}
	v := viper.NewWithOptions(viper.KeyDelimiter("\x00"))
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		l.failSyntax(text, err)
		return
	}
	if err := v.Unmarshal(out, func(c *mapstructure.DecoderConfig) { c.DecodeHook = wordsToList }); err != nil {
		l.fail("", "%v", err)
	}
}

// wordsToList lets one value stand where a list may, and a path where a list
// file with its settings may.
func wordsToList(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.Slice && to.Kind() == reflect.Slice {
		return []any{value}, nil
	}
	if from.Kind() != reflect.Map && to == reflect.TypeFor[rawList]() {
		return map[string]any{"file": value}, nil
	}
	return value, nil
}

// mistakes are what people write that is not YAML, and for which its library has
// words of its own.
var mistakes = []struct {
	line   *regexp.Regexp
	reason string
}{
	{regexp.MustCompile(`^ *\t\s*[^\s#]`), "the line is indented with a tab; indent with blanks"},
	{regexp.MustCompile(`^\s*(- +|[\w-]+: +)*\{\w+\} *[^\s#]|[\[,] *\{\w+\} *[^\s,\]]`), `write a text that begins with { in quotes: "{domain} ..."`},
	{regexp.MustCompile("^\\s*(- +|[\\w-]+: +)+[@%`*]"), "write a text that begins with @, %, * or ` in quotes"},
}

var yamlLine = regexp.MustCompile(`line (\d+): `)

// failSyntax words an error of the YAML library, which names the line.
func (l *loader) failSyntax(file []byte, err error) {
	for n, line := range bytes.Split(file, []byte("\n")) {
		for _, m := range mistakes {
			if m.line.Match(line) {
				l.failAt(n+1, "", "not valid YAML: %s", m.reason)
				return
			}
		}
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		line, _ = strconv.Atoi(text[m[2]:m[3]])
		text = text[:m[0]] + text[m[1]:]
	}
	l.faults = append(l.faults, &Error{File: l.file, Line: line, Reason: "not valid YAML: " + strings.TrimSpace(text)})
}

// index notes the lines of the keys below node and holds them against the
// type that they are read into: unknown keys and values of the wrong shape are
// faults.
func (l *loader) index(key string, node *yaml.Node, t reflect.Type) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if _, ok := l.lines[key]; !ok {
		l.lines[key] = node.Line
	}
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		if t == reflect.TypeFor[rawList]() && node.Kind == yaml.ScalarNode {
			return
		}
		if node.Kind != yaml.MappingNode {
			l.fail(key, "write keys and values here, such as %s", example(t))
			return
		}
		l.indexMapping(key, node, t)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			l.index(key, node, t.Elem())
			return
		}
		for i, item := range node.Content {
			l.index(fmt.Sprintf("%s[%d]", key, i), item, t.Elem())
		}
	default:
		if node.Kind != yaml.ScalarNode {
			l.fail(key, "write a single value here; a text that contains \": \" or begins with { needs quotes")
		}
	}
}

func (l *loader) indexMapping(key string, node *yaml.Node, t reflect.Type) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := strings.ToLower(node.Content[i].Value)
		child := name
		if key != "" {
			child = key + "." + name
		}
		if _, twice := l.lines[child]; twice {
			l.failAt(node.Content[i].Line, child, "the key is given twice")
			continue
		}
		l.lines[child] = node.Content[i].Line
		if key == "groups" {
			l.groups = append(l.groups, name)
		}
		if t.Kind() == reflect.Map {
			l.index(child, node.Content[i+1], t.Elem())
			continue
		}
		field, known := fieldByTag(t, name)
		if !known {
			l.failAt(node.Content[i].Line, child, "unknown key; the keys here are %s", strings.Join(tags(t), ", "))
			continue
		}
		l.index(child, node.Content[i+1], field.Type)
	}
}

func fieldByTag(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("mapstructure") == name {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

func tags(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		names = append(names, t.Field(i).Tag.Get("mapstructure"))
	}
	slices.Sort(names)
	return names
}

func example(t reflect.Type) string {
	if t.Kind() == reflect.Struct {
		return t.Field(0).Tag.Get("mapstructure") + ": ..."
	}
	return "name: ..."
}
