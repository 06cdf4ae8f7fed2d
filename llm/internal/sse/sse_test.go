package sse

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll returns every event as name|data|raw, and how the stream ended.
func readAll(src io.Reader) (events []string, err error) {
	r := NewReader(src)
	for {
		e, err := r.Next()
		if err != nil {
			return events, err
		}
		data := "-"
		if e.Data != nil {
			data = string(e.Data)
		}
		text := fmt.Sprintf("%s|%s|%s", e.Name, data, e.Raw)
		if e.Partial {
			text += "…"
		}
		events = append(events, text)
	}
}

func TestReaderTakesEveryFormOfStream(t *testing.T) { // ST-1, WF-3
	for name, tt := range map[string]struct {
		in   string
		want []string
	}{
		"plain":         {"data: a\n\ndata: b\n\n", []string{"|a|data: a\n\n", "|b|data: b\n\n"}},
		"CRLF":          {"data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a|data: a\n\n", "|b|data: b\n\n"}},
		"CR":            {"data: a\r\rdata: b\r\r", []string{"|a|data: a\n\n", "|b|data: b\n\n"}},
		"mixed":         {"data: a\r\n\ndata: b\n\r\n", []string{"|a|data: a\n\n", "|b|data: b\n\n"}},
		"no space":      {"data:a\n\n", []string{"|a|data:a\n\n"}},
		"two spaces":    {"data:  a\n\n", []string{"| a|data:  a\n\n"}},
		"named":         {"event: x\nid: 7\ndata: a\n\n", []string{"x|a|event: x\nid: 7\ndata: a\n\n"}},
		"many lines":    {"data: {\ndata: \"a\":1\ndata\ndata: }\n\n", []string{"|{\n\"a\":1\n\n}|data: {\ndata: \"a\":1\ndata\ndata: }\n\n"}},
		"comment":       {": ping\n\ndata: a\n: b\n\n", []string{"|-|: ping\n\n", "|a|data: a\n: b\n\n"}},
		"blank lines":   {"\n\ndata: a\n\n\n", []string{"|-|\n", "|-|\n", "|a|data: a\n\n", "|-|\n"}},
		"BOM":           {"\ufeffdata: a\n\n\ufeffdata: b\n\n", []string{"|a|data: a\n\n", "|-|\ufeffdata: b\n\n"}},
		"no blank line": {"data: a\n\ndata: b\n", []string{"|a|data: a\n\n", "|b|data: b\n…"}},
		"cut":           {"data: a\n\ndata: {\"b", []string{"|a|data: a\n\n", "|{\"b|data: {\"b…"}},
		"cut at CR":     {"data: a\r", []string{"|a|data: a\n…"}},
		"empty data":    {"data\n\ndata:\n\n", []string{"||data\n\n", "||data:\n\n"}},
		"empty":         {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for split, src := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
				"halves": iotest.HalfReader(strings.NewReader(tt.in)), "error with data": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := readAll(src)
				if !errors.Is(err, io.EOF) || strings.Join(got, "\x00") != strings.Join(tt.want, "\x00") {
					t.Errorf("%s: %q, %v\nwant %q", split, got, err, tt.want)
				}
			}
		})
	}
}

func TestAnEventIsReturnedBeforeTheNextRead(t *testing.T) { // ST-1
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r"} {
		src, dst := io.Pipe()
		go func() { _, _ = dst.Write([]byte("data: a" + end)) }()
		if e, err := NewReader(src).Next(); err != nil || string(e.Data) != "a" { // would hang if it waited for more
			t.Errorf("after %q: %q, %v", end, e.Data, err)
		}
	}
}

func TestReadySaysWhetherNextWaits(t *testing.T) {
	r := NewReader(strings.NewReader("data: a\n\ndata: b\n\ndata: c\n"))
	for i, want := range []bool{true, false} {
		if _, err := r.Next(); err != nil || r.Ready() != want || r.Ready() != want {
			t.Errorf("after event %d: Ready = %v, want %v (%v)", i, !want, want, err)
		}
	}
}

func TestLongEventsPassUpToTheLimit(t *testing.T) { // SZ-3
	long := "data: " + strings.Repeat("x", 1<<20) + "\n\n"
	if got, err := readAll(strings.NewReader(long + long)); len(got) != 2 || !errors.Is(err, io.EOF) {
		t.Errorf("%d events, %v", len(got), err)
	}
	if _, err := readAll(strings.NewReader(strings.Repeat("x", 2*MaxEvent))); !errors.Is(err, ErrTooLong) {
		t.Errorf("endless line: %v, want ErrTooLong", err)
	}
	if _, err := readAll(strings.NewReader(strings.Repeat("data: x\n", MaxEvent))); !errors.Is(err, ErrTooLong) {
		t.Errorf("endless event: %v, want ErrTooLong", err)
	}
}

func TestAnErrorOfTheSourceIsTold(t *testing.T) {
	broken := errors.New("reset")
	got, err := readAll(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)))
	if len(got) != 1 || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
}

// However a stream is split into reads, its events are the same, and they hold all its bytes.
func FuzzSplits(f *testing.F) {
	f.Add("data: a\r\n\r\nevent: x\ndata: b\n\n: c\r\rdata: d", uint8(3))
	f.Add("\ufeffdata: a\n\r\n\r\r\n", uint8(1))
	f.Fuzz(func(t *testing.T, in string, size uint8) {
		whole, err := readAll(strings.NewReader(in))
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		split, err := readAll(chunks{strings.NewReader(in), int(size%7) + 1})
		if !errors.Is(err, io.EOF) || strings.Join(split, "\x00") != strings.Join(whole, "\x00") {
			t.Fatalf("split: %q, %v\nwhole: %q", split, err, whole)
		}
		var raw strings.Builder
		r := NewReader(strings.NewReader(in))
		for e, err := r.Next(); err == nil; e, err = r.Next() {
			raw.Write(e.Raw)
		}
		want := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(in, "\ufeff"))
		if raw.String() != want {
			t.Fatalf("raw = %q, want %q", raw.String(), want)
		}
	})
}

type chunks struct {
	r io.Reader
	n int
}

func (c chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(c.n, len(p))]) }

func BenchmarkNext(b *testing.B) {
	event := `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}` + "\n\n"
	text := strings.Repeat(event, 100)
	b.ReportAllocs()
	src := strings.NewReader(text)
	r := NewReader(src)
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			src.Reset(text)
		}
	}
}
