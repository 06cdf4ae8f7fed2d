package tokens

import "strings"

// Family says how a model turns a request into tokens: its encoding and what it adds around the texts (TK-13…TK-18).
type Family struct {
	Name       string // the prefix it was found by; "" for models that we know nothing about
	Encoding   Encoding
	PerMessage int // for each message, beside the tokens of its role and texts
	Primer     int // once, for the start of the answer
	PerTurn    int // for each earlier assistant turn
	ToolsExtra int // once, when the request has tools
	Function   int // for each function in tools (TK-20)
	// BytesPerToken is how many bytes make a token where Encoding is None; 0 where texts are counted exactly.
	BytesPerToken float64
	// InputsOnly models have no messages: only the tokens of the inputs count (TK-17).
	InputsOnly bool
}

// Exact reports whether the model's vocabulary is known, so that Count is exact.
func (f Family) Exact() bool { return f.Encoding != None }

// Count returns the tokens of text, or the estimate where the vocabulary is unknown.
func (f Family) Count(text string) int {
	if f.Encoding == None && f.BytesPerToken > 0 {
		return estimate(len(text), f.BytesPerToken)
	}
	return Count(f.Encoding, text)
}

// ForModel returns the family with the longest prefix of upstreamModel, then of name: an Azure deployment name says
// nothing, the name people ask for often does. What no prefix fits is estimated from bytes (TK-18).
func ForModel(upstreamModel, name string) Family {
	for _, model := range []string{upstreamModel, name} {
		if f, ok := longestPrefix(model); ok {
			return f
		}
	}
	return Family{BytesPerToken: bytesPerToken}
}

// FamilyNamed returns the family with exactly this name, for a model override.
func FamilyNamed(name string) (Family, bool) {
	f, ok := longestPrefix(name)
	return f, ok && f.Name == name
}

func longestPrefix(model string) (best Family, ok bool) {
	model = bareModel(model)
	for _, prefix := range prefixes {
		if strings.HasPrefix(model, prefix) && len(prefix) > len(best.Name) {
			best, ok = familyOf(prefix), true
		}
	}
	return best, ok
}

// bareModel cuts what brokers and fine-tuning put before a name: openai/gpt-4o, ft:gpt-4o:acme.
func bareModel(model string) string {
	model = strings.ToLower(model)
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		model = model[i+1:]
	}
	return strings.TrimPrefix(model, "ft:")
}

var prefixes = [...]string{
	"gpt-5", "gpt-6",
	"gpt-4o", "gpt-4.1", "chatgpt-4o", "o1", "o3", "o4-mini",
	"gpt-4", "gpt-3.5", "gpt-35",
	"gpt-oss",
	"text-embedding-",
}

func familyOf(prefix string) Family {
	f := Family{Name: prefix, Encoding: O200k, PerMessage: 3, Primer: 3, Function: 7}
	switch prefix {
	case "gpt-5", "gpt-6": // TK-13
		f.Primer, f.PerTurn, f.ToolsExtra = 2, 2, 84
	case "gpt-4", "gpt-3.5", "gpt-35": // TK-15
		f.Encoding, f.Function = CL100k, 10
	case "text-embedding-": // TK-17
		return Family{Name: prefix, Encoding: CL100k, InputsOnly: true}
	}
	return f // TK-14, TK-16
}
