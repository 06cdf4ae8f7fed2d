package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// broken is an answer whose connection ends after body.
func broken(status int, body string, headers ...string) *http.Response {
	r := answer(status, "", headers...)
	r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF))), -1
	return r
}

func TestAnAnswerThatBreaksOffIsNoAnswer(t *testing.T) { // §12: half of a JSON text is an error, not a cut
	d := importText(t, answersDoc, Options{})
	for _, header := range []string{"application/json", "text/plain", "application/pdf", "multipart/mixed; boundary=b"} {
		for _, body := range []string{"", `{"id":1,"tags":["a"`} {
			if r, err := d.Tool("typed").ReadResult(broken(200, body, "Content-Type: "+header), ReadOptions{}); err == nil {
				t.Errorf("%s: %s is shown as an answer", header, describe(r))
			}
		}
	}
	for body, want := range map[string]string{
		"{\"a\":1}\n{\"b\":": "text({\"a\":1}) text((answer broke off after 1 lines)) structured({\"result\":[{\"a\":1}]})",
		"{\"a\":1":           "text((answer broke off after 0 lines))",
	} {
		r, err := d.Tool("free").ReadResult(broken(200, body, "Content-Type: application/x-ndjson"), ReadOptions{})
		if err != nil || describe(r) != want {
			t.Errorf("lines: %v, %v", r, err)
		}
	}
	r, err := d.Tool("free").ReadResult(broken(404, `{"message":"no`, "Content-Type: application/json"), ReadOptions{})
	if err != nil || !r.IsError || !strings.HasPrefix(r.Content[0].Text, "404 Not Found from GET /free") {
		t.Errorf("an error that breaks off: %v, %v", r, err)
	}
}

func zipped(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.String()
}

func TestCompressedAnswersAreDecoded(t *testing.T) { // §12
	tool := importText(t, answersDoc, Options{}).Tool("free")
	for _, coding := range []string{"gzip", "GZIP", "x-gzip"} {
		for header, body := range map[string]string{"text/plain": "hi", "text/event-stream": "data: hi\n\n"} {
			r, err := tool.ReadResult(answer(200, zipped(t, body), "Content-Type: "+header, "Content-Encoding: "+coding), ReadOptions{})
			if err != nil || describe(r) != "text(hi)" {
				t.Errorf("%s %s: %v, %v", coding, header, r, err)
			}
		}
	}
	half := zipped(t, strings.Repeat("abcdefgh", 100))
	if r, err := tool.ReadResult(answer(200, half[:len(half)-9], "Content-Type: text/plain", "Content-Encoding: gzip"), ReadOptions{}); err == nil {
		t.Errorf("half of an archive is shown: %s", describe(r))
	}
}

func TestJSONLargerThanWhatIsReadStaysJSON(t *testing.T) { // §12: cuts are structural
	tool := importText(t, answersDoc, Options{}).Tool("free")
	item := `{"name":"a \"quoted\" [text] {","n":-1.5e3,"deep":{"list":[[],{},true,null]}},`
	list := `{"next_cursor":"x","items":[` + strings.Repeat(item, 1000) + `{}]}`
	small := ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 3000}}
	for cut := range 200 { // the limit falls on every byte of an item
		body := zipped(t, strings.Repeat(" ", cut)+list) // of compressed answers no more than max_bytes is decoded
		r, err := tool.ReadResult(answer(200, body, "Content-Type: application/json", "Content-Encoding: gzip"), small)
		if err != nil {
			t.Fatal(err)
		}
		text := r.Content[0].Text
		if !json.Valid([]byte(text)) || !json.Valid(r.Structured) || len(text) < 1000 || len(text) > 3000 {
			t.Fatalf("cut at %d: %d bytes, valid %v", cut, len(text), json.Valid([]byte(text)))
		}
		if note := r.Content[1].Text; !strings.HasPrefix(note, "Shortened: ") || r.Meta["drawbridge/truncated"] != true {
			t.Fatalf("cut at %d: %q %v", cut, note, r.Meta)
		}
	}
	huge := `[` + strings.Repeat(item, 5<<20/len(item)) + `{}]`
	r, err := tool.ReadResult(answer(200, huge, "Content-Type: application/json"), ReadOptions{})
	if err != nil || !json.Valid([]byte(r.Content[0].Text)) || r.Structured == nil {
		t.Errorf("5 MB: valid %v, %v", json.Valid([]byte(r.Content[0].Text)), err)
	}
}

func TestLinesThatAreCutStayWhole(t *testing.T) { // §12
	tool := importText(t, answersDoc, Options{}).Tool("free")
	small := ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 100}}
	body := zipped(t, strings.Repeat("{\"a\":12345678}\n", 1000))
	r, err := tool.ReadResult(answer(200, body, "Content-Type: application/x-ndjson", "Content-Encoding: gzip"), small)
	if err != nil || !strings.HasPrefix(string(r.Structured), `{"result":[{"a":12345678},`) || !json.Valid(r.Structured) {
		t.Errorf("%v, %v", r, err)
	}
}
