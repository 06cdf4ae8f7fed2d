package openapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// unionDoc is a document whose tool takes a v of schema A.
func unionDoc(schemas ...string) string {
	return `{"openapi":"3.1.0","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"content":{"application/json":{"schema":{"type":"object","properties":{"v":{"$ref":"#/components/schemas/A"}}}}}},
		"responses":{"200":{"description":"","content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}}},"components":{"schemas":{` + strings.Join(schemas, ",") + `}}}`
}

// list joins n texts.
func list(n int, text func(i int) string) string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = text(i)
	}
	return strings.Join(texts, ",")
}

func TestNoSchemaMakesACallEndless(t *testing.T) { // §1.4, §10: each of these took 2^50 steps and more
	described := func(name string) func(int) string {
		return func(i int) string {
			return fmt.Sprintf(`{"$ref":"#/components/schemas/%s","description":"%d"}`, name, i)
		}
	}
	chain := func(keyword string) string {
		return unionDoc(`"A":{"$ref":"#/components/schemas/A0"}`, list(60, func(i int) string {
			return fmt.Sprintf(`"A%d":{"%s":[%s]}`, i, keyword, list(2, described(fmt.Sprintf("A%d", i+1))))
		}), `"A60":{"type":"string","pattern":"^z"}`)
	}
	deep := func(open, leaf, end string) string {
		return strings.Repeat(open, 50) + leaf + strings.Repeat(end, 50)
	}
	const member = `{"type":"object","properties":{"n":{"$ref":"#/components/schemas/A"},"x y":%s}}`
	for name, c := range map[string]struct{ doc, value string }{
		"a union of itself":    {unionDoc(`"A":{"anyOf":[` + list(60, described("A")) + `]}`), `5`},
		"unions of each other": {unionDoc(`"A":{"anyOf":[`+list(60, described("B"))+`]}`, `"B":{"oneOf":[`+list(60, described("A"))+`]}`), `5`},
		"all unions of all": {unionDoc(`"A":{"$ref":"#/components/schemas/U0"}`, list(40, func(i int) string {
			return fmt.Sprintf(`"U%d":{"anyOf":[%s]}`, i, list(100, func(k int) string { return fmt.Sprintf(`{"$ref":"#/components/schemas/U%d"}`, k) }))
		})), `5`},
		"a chain of unions":         {chain("anyOf"), `"5"`},
		"a chain of allOf":          {chain("allOf"), `"5"`},
		"variants that go on":       {unionDoc(`"A":{"anyOf":[` + fmt.Sprintf(member, `{"type":"string"}`) + "," + fmt.Sprintf(member, `{"enum":["q",5]}`) + `]}`), deep(`{"n":`, "5", "}")},
		"members that go on twice":  {unionDoc(`"A":{"type":"object","allOf":[` + fmt.Sprintf(member, `{"type":"string"}`) + "," + fmt.Sprintf(member, `{"enum":["q",5]}`) + `]}`), deep(`{"n":`, "5", "}")},
		"lists of lists of a union": {unionDoc(`"A":{"anyOf":[{"type":"array","items":{"$ref":"#/components/schemas/A"}},{"type":"array","uniqueItems":true,"items":{"$ref":"#/components/schemas/A","description":"d"}},{"type":"object","properties":{"x y":{"enum":[1,"1"]}}}]}`), deep("[", "5", "]")},
	} {
		for _, p := range []Profile{Universal, Rich, Gemini} {
			d, err := Import(t.Context(), Source{Data: []byte(c.doc)}, Options{Profile: p})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, err = d.Tools[0].BuildRequest(context.Background(), mustURL(t), json.RawMessage(`{"v":`+c.value+`}`))
			if err != nil {
				problem(t, err) // whatever it says, it ends
			}
		}
	}
}

func TestLargeArgumentsAreStillChecked(t *testing.T) { // §10: only what repeats itself is left unchecked
	d := importText(t, unionDoc(`"A":{"type":"array","items":{"anyOf":[{"type":"object","required":["x"],"properties":{"x":{"type":"string","pattern":"^a"}}},{"type":"string","pattern":"^b"}]}}`), Options{})
	items := list(20_000, func(int) string { return `{"x":"a"},"b"` })
	if _, err := d.Tools[0].BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":[`+items+`]}`)); err != nil {
		t.Error(err)
	}
	_, err := d.Tools[0].BuildRequest(t.Context(), mustURL(t), json.RawMessage(`{"v":[`+items+`,{"x":"c"}]}`))
	if text := problem(t, err); !strings.Contains(text, `argument "v[40000].x"`) {
		t.Error(text)
	}
}

func TestKindsExtendAParentThatListsThem(t *testing.T) { // S3, S4: a common way to write inheritance, which no value fitted
	const pets = `{"openapi":"3.0.3","info":{},"paths":{"/x":{"post":{"operationId":"op","requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"pet":{"$ref":"#/components/schemas/Pet"}}}}}}}}},
		"components":{"schemas":{"Pet":{"type":"object","required":["kind"],"properties":{"kind":{"type":"string"}},"oneOf":[{"$ref":"#/components/schemas/Cat"},{"$ref":"#/components/schemas/Dog"}],"discriminator":{"propertyName":"kind"}},
		"Cat":{"allOf":[{"$ref":"#/components/schemas/Pet"},{"type":"object","required":["lives"],"properties":{"lives":{"type":"integer"}}}]},
		"Dog":{"allOf":[{"$ref":"#/components/schemas/Pet","description":"A pet."},{"type":"object","required":["bark"],"properties":{"bark":{"type":"string","pattern":"^w"}}}]}}}}`
	tool := importText(t, pets, Options{}).Tools[0]
	for _, part := range []string{`"lives"`, `"bark"`, `"kind"`} {
		if !strings.Contains(string(tool.InputSchema), part) {
			t.Errorf("%s is not in %s", part, tool.InputSchema)
		}
	}
	for args, good := range map[string]bool{
		`{"pet":{"kind":"Cat","lives":9}}`: true, `{"pet":{"kind":"Dog","bark":"wuff"}}`: true,
		`{"pet":{"kind":"Dog","bark":"x"}}`: false, `{"pet":{"lives":9}}`: false, `{"pet":{"kind":"Cat"}}`: false, `{"pet":5}`: false,
	} {
		if _, err := tool.BuildRequest(t.Context(), mustURL(t), json.RawMessage(args)); (err == nil) != good {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestNoSchemaMakesAnImportEndless(t *testing.T) { // §1.4: properties that are merged of the same few schemas on every level
	doc := unionDoc(`"A":{"$ref":"#/components/schemas/S0"}`, list(120, func(i int) string {
		return fmt.Sprintf(`"S%d":{"type":"object","properties":{%s},"allOf":[%s]}`, i,
			list(16, func(k int) string {
				return fmt.Sprintf(`"p%d":{"$ref":"#/components/schemas/S%d"}`, k, (i*7+k*11+3)%120)
			}),
			list(16, func(k int) string { return fmt.Sprintf(`{"$ref":"#/components/schemas/S%d"}`, (i*5+k*13+1)%120) }))
	}))
	for _, p := range []Profile{Universal, Rich, Gemini} {
		if d, err := Import(t.Context(), Source{Data: []byte(doc)}, Options{Profile: p}); err != nil || len(d.Tools) != 1 {
			t.Errorf("%s: %v", p, err)
		}
	}
}
