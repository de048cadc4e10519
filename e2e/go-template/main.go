// Renders templates with Go's own text/template: reads cases as a JSON array from stdin and writes results in their
// order. Standard library only. Run by record.ts and, where go is installed, by the test.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/template"
)

type testCase struct {
	Template   string          `json:"template"`
	Data       json.RawMessage `json:"data"`
	MissingKey string          `json:"missingKey"`
}

type result struct {
	Output string `json:"output,omitempty"`
	Error  string `json:"error,omitempty"`
}

// An integral number that fits 64 bits is an int, however it is written; any other is a float64.
func number(text json.Number) any {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return int(n)
	}
	f, err := text.Float64()
	if err != nil {
		panic(err)
	}
	if f >= -9223372036854775808.0 && f < 9223372036854775808.0 && float64(int(f)) == f {
		return int(f)
	}
	return f
}

func convert(value any) any {
	switch v := value.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for key, member := range v {
			v[key] = convert(member)
		}
	case []any:
		exact := make([]any, len(v))
		for i, element := range v {
			exact[i] = convert(element)
		}
		return exact
	}
	return value
}

func jsonify(v any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return strings.TrimSuffix(out.String(), "\n"), err
}

func makeJSONObject(v ...any) (map[string]any, error) {
	if len(v)%2 != 0 {
		return nil, fmt.Errorf("keys and values must come in pairs, but there are %d arguments", len(v))
	}
	object := map[string]any{}
	for i := 0; i < len(v); i += 2 {
		object[fmt.Sprint(v[i])] = v[i+1]
	}
	return object, nil
}

func sliceToIndexMap(v any, startBy int) (map[int]any, error) {
	indexed := map[int]any{}
	if v == nil {
		return indexed, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("wants a list, not a value of type %T", v)
	}
	for i, element := range list {
		indexed[startBy+i] = element
	}
	return indexed, nil
}

func render(c testCase) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r = result{Error: fmt.Sprintf("panic: %v", p)}
		}
	}()
	decoder := json.NewDecoder(bytes.NewReader(c.Data))
	decoder.UseNumber()
	var data any
	if err := decoder.Decode(&data); err != nil {
		return result{Error: "data: " + err.Error()}
	}
	t, err := template.New("t").Option("missingkey=" + c.MissingKey).Funcs(template.FuncMap{
		"jsonify": jsonify, "make_json_object": makeJSONObject, "slice_to_index_map": sliceToIndexMap,
	}).Parse(c.Template)
	if err != nil {
		return result{Error: err.Error()}
	}
	var out strings.Builder
	if err := t.Execute(&out, convert(data)); err != nil {
		return result{Error: err.Error()}
	}
	return result{Output: out.String()}
}

func main() {
	var cases []testCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	results := make([]result, len(cases))
	for i, c := range cases {
		results[i] = render(c)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(results); err != nil {
		panic(err)
	}
}
