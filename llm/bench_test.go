package llm

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/llmtest"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// benched is a handler over a road that answers at once.
func benched(b *testing.B, contentType string, body func() io.Reader) *Handler {
	cat, faults := NewCatalogue(Config{Models: testModels}, time.Time{})
	if faults != nil {
		b.Fatal(faults)
	}
	backend := &proxy.Backend{Name: "east", URL: &url.URL{Scheme: "http", Host: "upstream", Path: "/v1"}}
	header := http.Header{"Content-Type": {contentType}}
	snap := &Snapshot{Models: cat, Doer: doFunc(func(ctx context.Context, call *proxy.Call) (*proxy.Answer, error) {
		if _, err := call.Build(ctx, backend); err != nil {
			return nil, err
		}
		a := proxy.NewAnswer(func(proxy.Outcome) {})
		a.Status, a.Header, a.Body = 200, header, io.NopCloser(body())
		return a, nil
	})}
	caller := &identity.Caller{Kind: identity.Key}
	return &Handler{
		Snapshot:     func() *Snapshot { return snap },
		Authenticate: func(*http.Request) (*identity.Caller, *Refusal) { return caller, nil },
		Grants:       func(*identity.Caller, *Model) bool { return true },
		Log:          slog.New(slog.DiscardHandler),
	}
}

type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) Flush()                      {}

func run(b *testing.B, h *Handler, body string) {
	req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/llm/v1/chat/completions", nil)
	req.Header.Set("Content-Type", "application/json")
	req.ContentLength = int64(len(body))
	b.ReportAllocs()
	for b.Loop() {
		req.Body = io.NopCloser(strings.NewReader(body))
		h.serve(&sink{header: http.Header{}}, req, "/v1/chat/completions")
	}
}

func BenchmarkChatJSON(b *testing.B) { // PF-1, PF-4
	answer := llmtest.Answer{}.JSON()
	h := benched(b, "application/json", func() io.Reader { return strings.NewReader(answer) })
	for name, size := range map[string]int{"small": 10, "16KiB": 16 << 10, "256KiB": 256 << 10} {
		text := strings.Repeat("The quick brown fox jumps over it. ", size/35+1)
		b.Run(name, func(b *testing.B) {
			run(b, h, `{"model":"gpt-4o","messages":[{"role":"user","content":"`+text+`"}]}`)
		})
	}
}

func BenchmarkStreamPerChunk(b *testing.B) { // PF-2
	const chunks = 1000
	answer := llmtest.Answer{Pieces: strings.SplitAfter(strings.Repeat("word ", chunks-3), " ")}
	text := strings.Join(answer.Events(true), "")
	h := benched(b, "text/event-stream", func() io.Reader { return oneEvent{strings.NewReader(text)} })
	run(b, h, askStream(""))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/chunks, "ns/chunk")
}

// oneEvent gives about one event with each read, as a network does.
type oneEvent struct{ r io.Reader }

func (o oneEvent) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 270)]) }
