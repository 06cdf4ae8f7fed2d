package builtin

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strings"
	"unicode"

	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
)

const (
	dimensions    = 256
	maxDimensions = 3072
	maxInputs     = 2048
)

func (m *Model) embed(r *http.Request, data []byte) *http.Response {
	var q struct {
		Model          string          `json:"model"`
		Input          json.RawMessage `json:"input"`
		EncodingFormat string          `json:"encoding_format"`
		Dimensions     *int            `json:"dimensions"`
	}
	if err := json.Unmarshal(data, &q); err != nil {
		return refuse(r, http.StatusBadRequest, "", "invalid_json", "The request body is not an embeddings request.")
	}
	inputs, used, ok := texts(q.Input)
	size := dimensions
	if q.Dimensions != nil {
		size = *q.Dimensions
	}
	switch {
	case !ok || len(inputs) == 0 || len(inputs) > maxInputs:
		return refuse(r, http.StatusBadRequest, "input", "invalid_value", "The member input must be a text, tokens, or a list of either.")
	case size < 1 || size > maxDimensions:
		return refuse(r, http.StatusBadRequest, "dimensions", "invalid_value", "The member dimensions must be between 1 and 3072.")
	}
	list := make([]any, len(inputs))
	for i, text := range inputs {
		var v any = vector(text, size)
		if q.EncodingFormat == "base64" {
			v = base64Of(vector(text, size))
		}
		list[i] = map[string]any{"object": "embedding", "index": i, "embedding": v}
	}
	if q.Model == "" {
		q.Model = Name
	}
	return respond(r, http.StatusOK, map[string]any{"object": "list", "data": list, "model": q.Model,
		"usage": map[string]any{"prompt_tokens": used, "total_tokens": used}})
}

// texts reads the four forms of input, and counts its tokens. Tokens stand for themselves.
func texts(raw json.RawMessage) (list []string, used int, ok bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil && len(raw) > 0 && raw[0] == '"' {
		return []string{one}, tokens.Count(tokens.CL100k, one), true
	}
	var ids []int
	if json.Unmarshal(raw, &ids) == nil && len(ids) > 0 {
		return []string{fmt.Sprint(ids)}, len(ids), true
	}
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		return nil, 0, false
	}
	for _, item := range many {
		if len(item) > 0 && item[0] == '[' && json.Unmarshal(item, &ids) != nil {
			return nil, 0, false
		}
		inner, n, ok := texts(item)
		if !ok || len(inner) != 1 {
			return nil, 0, false
		}
		list, used = append(list, inner[0]), used+n
	}
	return list, used, true
}

// vector is the unit vector of a text: a bag of its words, and faintly of their beginnings, each at a place that its hash
// chooses. Texts that share words point the same way.
func vector(text string, size int) []float32 {
	v := make([]float64, size)
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	for _, word := range words {
		add(v, word, 1)
		if runes := []rune(word); len(runes) > 4 {
			add(v, string(runes[:4]), 0.5)
		}
	}
	var sum float64
	for _, x := range v {
		sum += x * x
	}
	out := make([]float32, size)
	if sum == 0 { // no words, or words that cancel each other
		out[0] = 1
		return out
	}
	for i, x := range v {
		out[i] = float32(x / math.Sqrt(sum))
	}
	return out
}

func add(v []float64, word string, weight float64) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word)) // never fails
	sum := h.Sum64()
	if sum>>63 == 1 {
		weight = -weight
	}
	v[sum%uint64(len(v))] += weight
}

func base64Of(v []float32) string {
	raw := make([]byte, 0, 4*len(v))
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(raw)
}
