package openapi

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func BenchmarkImport(b *testing.B) {
	dir, _ := corpus(b)
	for _, name := range []string{"petstore-3.0.json", "github-api-3.0.json", "stripe-3.0.yaml", "kubernetes-2.0.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := Import(b.Context(), Source{Location: name, Data: data}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuildRequest(b *testing.B) {
	base, _ := url.Parse("https://api.example.com/v1")
	params := `"parameters":[{"name":"a","in":"path","required":true,"schema":{"type":"string"}},{"name":"b","in":"path","required":true,"schema":{"type":"string"}},
		{"name":"x","in":"query","schema":{"type":"integer","maximum":100}},{"name":"y","in":"query","schema":{"type":"string"}},{"name":"z","in":"query","schema":{"type":"boolean"}}]`
	for _, c := range []struct{ name, method, members, args string }{
		{"two arguments", "get", params, `{"a":"one","b":"two"}`},
		{"five arguments", "get", params, `{"a":"one","b":"two","x":5,"y":"text","z":true}`},
		{"five arguments and 1 KiB of JSON", "post", params + `,"requestBody":{"required":true,"content":{"application/json":{"schema":{"type":"object","properties":{"note":{"type":"string"},"items":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},"n":{"type":"integer"}}}}}}}}}`,
			`{"a":"one","b":"two","x":5,"y":"text","z":true,"note":"` + strings.Repeat("n", 700) + `","items":[{"sku":"a","n":1},{"sku":"b","n":2},{"sku":"c","n":3},{"sku":"d","n":4}]}`},
	} {
		tool := importText(b, oneOperation(c.method, "/x/{a}/y/{b}", c.members), Options{}).Tools[0]
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tool.BuildRequest(b.Context(), base, json.RawMessage(c.args)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadResult(b *testing.B) {
	d := importText(b, answersDoc, Options{})
	for name, body := range map[string]string{"small": `{"id":1,"price":1.5,"tags":["a","b"]}`, "64KiB": `{"id":1,"tags":["` + strings.Repeat(`abcdefgh","`, 6000) + `"]}`} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := d.Tool("typed").ReadResult(answer(200, body, "Content-Type: application/json"), ReadOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFirstCall compiles a large validator.
func BenchmarkFirstCall(b *testing.B) {
	dir, _ := corpus(b)
	d, err := importFile(b, filepath.Join(dir, "kubernetes-2.0.json"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, tool := range d.Tools {
		if tool.OperationID == "createCoreV1NamespacedPod" {
			for b.Loop() {
				if compileSchema(flattenArgs(tool.plan.args, false)) == nil {
					b.Fatal("does not compile")
				}
			}
		}
	}
}

// BenchmarkTranslate turns the schema of one large body, Kubernetes' Pod, into what a client is shown.
func BenchmarkTranslate(b *testing.B) {
	dir, _ := corpus(b)
	d, err := importFile(b, filepath.Join(dir, "kubernetes-2.0.json"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	at := slices.IndexFunc(d.Tools, func(t *Tool) bool { return t.OperationID == "createCoreV1NamespacedPod" })
	for _, profile := range []Profile{Universal, Rich, Gemini} {
		b.Run(string(profile), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tr := &translator{merge: newMerger(), plain: func(s string) string { return s }, profile: profile, maxNodes: maxShapeNodes, maxBytes: maxToolBytes}
				root := &shape{typ: "object", closed: true}
				for _, a := range d.Tools[at].plan.args {
					root.props = append(root.props, shapeProp{a.name, tr.translate(a.schema, 1, a.spec != nil, !a.required)})
				}
				tr.run()
				if defs := tr.definitions(); len(defs) > 0 {
					root.rich = &richParts{defs: defs}
				}
				if len(root.json(style{profile: profile})) < 1000 {
					b.Fatal("too little came out")
				}
			}
		})
	}
}
