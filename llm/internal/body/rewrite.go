package body

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/jsonscan"
)

// Change is what must differ in the body that a provider gets. The zero Change changes nothing.
type Change struct {
	Model        string // the provider's name of the model; "" = as it came
	IncludeUsage bool   // ask for the usage chunk of a stream
	MaxTokens    int    // lower token caps to this, or set one where there is none; 0 = as they came
	CapName      string // the member that MaxTokens sets where there is none
}

// splice replaces data[from:to] by text.
type splice struct {
	from, to int
	text     string
}

// Rewrite returns the body with c applied; the caller's own bytes, not a copy, when c changes nothing. Every byte that c
// does not name stays as it was (llm.md WF-1).
func (v *View) Rewrite(c Change) []byte {
	var s []splice
	members := v.members
	insert := func(name, value string) {
		text := strconv.Quote(name) + ":" + value
		if members > 0 {
			text = "," + text
		}
		members++
		s = append(s, splice{v.end, v.end, text})
	}
	set := func(at Span, name, value string) {
		switch {
		case !at.Present():
			insert(name, value)
		case string(v.Raw(at)) != value:
			s = append(s, splice{at.From, at.To, value})
		}
	}
	if c.Model != "" && c.Model != v.ModelName() {
		set(v.Model, "model", quote(c.Model))
	}
	if c.MaxTokens > 0 {
		v.capTokens(c, set)
	}
	if c.IncludeUsage && !v.IncludesUsage() {
		v.askUsage(set, &s)
	}
	return v.apply(s)
}

// capTokens lowers the caps that are there, or sets one. A cap that is not a positive whole number stays (MX-2).
func (v *View) capTokens(c Change, set func(at Span, name, value string)) {
	value, named := strconv.Itoa(c.MaxTokens), false
	for name, at := range map[string]Span{"max_completion_tokens": v.MaxCompletionTokens, "max_tokens": v.MaxTokens} {
		raw := v.Raw(at)
		if jsonscan.IsNull(raw) {
			continue
		}
		named = true
		if n, ok := jsonscan.Int(raw); ok && n > c.MaxTokens {
			set(at, name, value)
		}
	}
	switch {
	case named:
	case c.CapName == "max_completion_tokens":
		set(v.MaxCompletionTokens, c.CapName, value)
	default:
		set(v.MaxTokens, "max_tokens", value)
	}
}

func (v *View) askUsage(set func(at Span, name, value string), s *[]splice) {
	options := v.Raw(v.StreamOptions)
	switch {
	case jsonscan.IsNull(options):
		set(v.StreamOptions, "stream_options", `{"include_usage":true}`)
	case v.includeUsage.Present():
		set(v.includeUsage, "include_usage", "true")
	default:
		text, inside := `"include_usage":true`, options[1:len(options)-1]
		if jsonscan.Space(inside, 0) < len(inside) {
			text = "," + text
		}
		end := v.StreamOptions.To - 1
		*s = append(*s, splice{end, end, text})
	}
}

func (v *View) apply(s []splice) []byte {
	if len(s) == 0 {
		return v.Data
	}
	slices.SortStableFunc(s, func(a, b splice) int { return cmp.Compare(a.from, b.from) })
	size := len(v.Data)
	for _, x := range s {
		size += len(x.text)
	}
	out, at := make([]byte, 0, size), 0
	for _, x := range s {
		out = append(append(out, v.Data[at:x.from]...), x.text...)
		at = x.to
	}
	return append(out, v.Data[at:]...)
}

// Set returns the body with top-level members set to values, which must be JSON. Those that are there are replaced where
// they stand, others are added at the end, in order.
func (v *View) Set(names []string, values [][]byte) []byte {
	at := map[string]Span{}
	_ = jsonscan.Members(v.Data, func(key, value []byte) error { // Parse has read it: no error can come
		from := cap(v.Data) - cap(value) // value is a part of Data, so their capacities end at the same byte
		at[string(key)] = Span{from, from + len(value)}
		return nil
	})
	var s []splice
	members := v.members
	for i, name := range names {
		if slices.Contains(names[i+1:], name) {
			continue // the last one counts
		}
		if span, ok := at[name]; ok {
			s = append(s, splice{span.From, span.To, string(values[i])})
			continue
		}
		text := quote(name) + ":" + string(values[i])
		if members > 0 {
			text = "," + text
		}
		members++
		s = append(s, splice{v.end, v.end, text})
	}
	return v.apply(s)
}

func quote(s string) string {
	text, _ := json.Marshal(s) // a string always has a JSON form
	return string(text)
}
