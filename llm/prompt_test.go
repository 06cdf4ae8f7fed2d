package llm

import (
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/internal/body"
	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
)

var families = func() *Catalogue {
	var c Config
	for _, name := range []string{"gpt-5-nano", "gpt-4o", "gpt-4", "gpt-oss", "text-embedding-3-small", "mistral"} {
		c.Models = append(c.Models, ModelConfig{Name: name, Backend: "b"})
	}
	c.ImageTokens = 1200
	cat, _ := NewCatalogue(c, time.Time{})
	return cat
}()

func promptOf(t testing.TB, model, text string) *prompt {
	t.Helper()
	v, err := body.Parse([]byte(text), 1000)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	p := &prompt{}
	p.of(families, families.Find(model), v)
	return p
}

func TestPromptsOfFamilies(t *testing.T) { // TK-13…TK-21, TK-23, TK-30
	count := func(s string) int { return tokens.Count(tokens.O200k, s) }
	const history = `{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"Hello!"},{"role":"user","content":"bye"}]}`
	const tool = `{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"get","description":"Gets it.","parameters":{"type":"object","properties":{"id":{"type":"string","description":"The id."},"size":{"type":"string","enum":["s","m"]}}}}}]}`
	toolTokens := 12 + 7 + count("get:Gets it") + 3 + 3 + count("id:string:The id") + (3 - 3 + 2*3 + count("s") + count("m")) + count("size:string:")
	for name, tt := range map[string]struct {
		model, text string
		want        int
	}{
		"gpt-4o":                    {"gpt-4o", `{"messages":[{"role":"user","content":"hi"}]}`, 3 + 1 + 1 + 3},
		"gpt-5: primer 2":           {"gpt-5-nano", `{"messages":[{"role":"user","content":"hi"}]}`, 3 + 1 + 1 + 2},
		"gpt-5: 2 per turn":         {"gpt-5-nano", history, 3*3 + 3 + 1 + count("Hello!") + count("bye") + 2 + 2},
		"gpt-4o: no turns":          {"gpt-4o", history, 3*3 + 3 + 1 + count("Hello!") + count("bye") + 3},
		"gpt-4o: tools":             {"gpt-4o", tool, 8 + toolTokens},
		"gpt-5: 84 for tools":       {"gpt-5-nano", tool, 7 + toolTokens + 84},
		"gpt-4: 10 per function":    {"gpt-4", tool, 8 + toolTokens + 3},
		"name":                      {"gpt-4o", `{"messages":[{"role":"user","name":"bob","content":"hi"}]}`, 8 + count("bob") + 1},
		"parts":                     {"gpt-4o", `{"messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}`, 8 + 1200},
		"calls":                     {"gpt-4o", `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"get","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"hi"}]}`, 2*3 + 1 + count("get") + count("{}") + 1 + 1 + 3},
		"schema":                    {"gpt-4o", `{"messages":[],"response_format":{"type":"json_schema","json_schema":{"a":1}}}`, 3 + count(`{"a":1}`)},
		"embeddings, texts":         {"text-embedding-3-small", `{"input":["hi","hi"]}`, 2},
		"embeddings, lists of them": {"text-embedding-3-small", `{"input":[[1,2,3],[4]]}`, 4},
		"unknown vocabulary":        {"mistral", `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 320) + `"}]}`, 100 + 2},
		"escapes":                   {"gpt-4o", `{"messages":[{"role":"user","content":"\u0068\u0069"}]}`, 8},
	} {
		t.Run(name, func(t *testing.T) {
			p := promptOf(t, tt.model, tt.text)
			if got := p.count(t.Context()); got != tt.want || p.bound() < got {
				t.Errorf("exact %d (bound %d), want %d", got, p.bound(), tt.want)
			}
		})
	}
}

// TL-11: a refusal must never come from a bound that is too low, nor a reservation from one.
func FuzzTheBoundIsNeverLessThanTheCount(f *testing.F) {
	f.Add(`{"messages":[{},{"role":"a","name":""},{"role":"assistant","content":[{"text":"x"},{"image_url":1}]}],"tools":[{},{"function":{"parameters":{"properties":{"a":{"enum":[1,2,null]},"b":{}}}}}]}`)
	f.Add(`{"input":[1,[2,"a"]],"prompt":["x"]}`)
	f.Add(`{"messages":[1,2,[]],"tools":[1,2,3],"response_format":{"json_schema":[]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := body.Parse([]byte(text), 1000)
		if err != nil {
			return
		}
		for _, m := range families.All() {
			p := &prompt{}
			p.of(families, m, v)
			if exact, bound := p.count(t.Context()), p.bound(); exact > bound {
				t.Fatalf("%s: exact %d, bound %d: %s", m.Name, exact, bound, text)
			}
		}
	})
}
