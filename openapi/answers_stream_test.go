package openapi

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestStreamsInAllTheirWritings(t *testing.T) { // §12
	const sse, lines, seq, js = "Content-Type: text/event-stream", "Content-Type: application/x-ndjson", "Content-Type: application/json-seq", "Content-Type: application/json"
	checkWire(t, answersDoc, []wireCase{
		{"a byte order mark", "free", 200, "\xef\xbb\xbfdata: {\"a\":1}\n\n", []string{sse}, `text({"a":1}) structured({"result":[{"a":1}]})`},
		{"bytes that are no text", "free", 200, "event: \xfe\ndata: a\xff\n\n", []string{sse}, "text(event: \ufffd a\ufffd)"},
		{"a sequence of values over several lines", "free", 200, "\x1e{\n\"a\": 1\n}\n\x1e{\n\"a\": 2\n}\n", []string{seq}, "text({\n\"a\": 1\n}\n{\n\"a\": 2\n}) structured({\"result\":[{\"a\":1},{\"a\":2}]})"},
		{"lines without an end", "free", 200, "{\"a\":1}\r\n\r\n[2]", []string{lines}, "text({\"a\":1}\n[2]) structured({\"result\":[{\"a\":1},[2]]})"},
		{"lines that are called JSON", "free", 200, "{\"a\":1}\n{\"a\":2}\n", []string{js}, "text({\"a\":1}\n{\"a\":2}) structured({\"result\":[{\"a\":1},{\"a\":2}]})"},
		{"not all of them JSON", "free", 200, "{\"a\":1}\n{a", []string{js}, "text({\"a\":1}\n{a) text((the API said that this is JSON; it is not))"},
		{"lines, and a declared header", "typed", 200, "1\n", []string{lines, "ETag: e"}, "text(1) text(etag: e) structured({})"},
	})
	tool := importText(t, answersDoc, Options{}).Tool("free")
	small := ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 2000}}
	r, err := tool.ReadResult(answer(200, `{"a":[`+strings.Repeat("1,", 5000)+"1]}\n2\n", lines), small)
	if err != nil || !strings.HasPrefix(string(r.Structured), `{"a":[1,1,`) || len(r.Structured) > 2000 || !strings.HasPrefix(r.Content[1].Text, "Shortened: items ") {
		t.Errorf("one line above the limit: %v, %v", r, err)
	}
	r, err = tool.ReadResult(answer(200, strings.Repeat("event: "+strings.Repeat("n", 300)+"\ndata: x\n\n", 100), sse), small)
	if err != nil || len(r.Content[0].Text) > 2100 || r.Meta["drawbridge/truncated"] != true {
		t.Errorf("names of events above the limit: %d bytes, %v", len(r.Content[0].Text), err)
	}
}

func TestLinesAreReadForTheirTime(t *testing.T) { // §12: ndjson and json-seq the same
	tool := importText(t, answersDoc, Options{}).Tool("free")
	for contentType, format := range map[string]string{"application/x-ndjson": "{\"n\":%d}\n", "application/json-seq": "\x1e{\"n\":%d}\n"} {
		synctest.Test(t, func(t *testing.T) {
			pr, pw := io.Pipe()
			go func() {
				for i := 0; ; i++ {
					if _, err := fmt.Fprintf(pw, format, i); err != nil {
						return
					}
					time.Sleep(3 * time.Second)
				}
			}()
			resp := answer(200, "", "Content-Type: "+contentType)
			resp.Body = pr
			events := 0
			r, err := tool.ReadResult(resp, ReadOptions{Event: func(n int) { events = n }})
			if err != nil {
				t.Fatal(err)
			}
			if want := "text({\"n\":0}\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}) text((stream cut after 10s, 4 lines)) structured({\"result\":[{\"n\":0},{\"n\":1},{\"n\":2},{\"n\":3}]})"; describe(r) != want || events != 4 || r.Meta["drawbridge/truncated"] != true {
				t.Errorf("%s: %d lines: %s", contentType, events, describe(r))
			}
			time.Sleep(5 * time.Second)
		})
	}
}

// multi is a multipart body; each part is given with its headers.
func multi(boundary string, parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("--" + boundary + "\r\n" + part + "\r\n")
	}
	return b.String() + "--" + boundary + "--\r\n"
}

func TestPartsAreAnswersOfTheirOwn(t *testing.T) { // §12: mapped one by one
	const mixed = "Content-Type: multipart/mixed; boundary=b"
	pdf := func(name string) string {
		return "Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=" + name + "\r\n\r\n%PDF"
	}
	file := func(name string) string {
		return "resource(application/pdf " + name + " drawbridge:response/r1/" + name + " 4) text(" + name + ", application/pdf, 4 bytes)"
	}
	checkWire(t, answersDoc, []wireCase{
		{"names", "free", 200, multi("b", pdf("one.pdf"), pdf("two.pdf")), []string{mixed, "Content-Disposition: attachment; filename=all.bin"}, file("one.pdf") + " " + file("two.pdf")},
		{"parts of parts", "free", 200, multi("b", "Content-Type: multipart/mixed; boundary=c\r\n\r\n"+multi("c", "\r\nhi"), "\r\nyou"), []string{mixed}, "text(hi) text(you)"},
		{"base64", "free", 200, multi("b", "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGk="), []string{mixed}, "text(hi)"},
		{"a charset", "free", 200, multi("b", "Content-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9"), []string{mixed}, "text(café)"},
		{"an image that is another", "free", 200, multi("b", "Content-Type: image/png\r\n\r\n\xff\xd8\xff\xe0"), []string{mixed}, "image(image/jpeg   4)"},
		{"not multipart at all", "free", 200, "hi", []string{mixed}, "text(hi)"},
	})
	tool := importText(t, answersDoc, Options{}).Tool("free")
	long := "Content-Type: text/plain\r\n\r\n" + strings.Repeat("0123456789\n", 100)
	list := `Content-Type: application/json` + "\r\n\r\n[" + strings.Repeat("1,", 3000) + "1]"
	for name, body := range map[string]string{
		"one long part": multi("b", list), "long parts": multi("b", long, long, long, long, long), "many parts": multi("b", strings.Split(strings.Repeat("\r\nx|", 80)+"\r\nx", "|")...),
		"a part that is cut": "--b\r\n\r\nx\r\n--b\r\n\r\n" + strings.Repeat("y", 60000),
	} {
		r, err := tool.ReadResult(answer(200, body, mixed), ReadOptions{ResponsesConfig: ResponsesConfig{MaxBytes: 2000, MaxBinaryBytes: 50000}})
		if err != nil {
			t.Fatal(err)
		}
		size, last := 0, r.Content[len(r.Content)-1].Text
		for _, c := range r.Content {
			size += len(c.Text)
			if !utf8.ValidString(c.Text) {
				t.Errorf("%s: not UTF-8", name)
			}
		}
		if size > 2400 || r.Meta["drawbridge/truncated"] != true || !strings.HasPrefix(last, "Shortened: ") {
			t.Errorf("%s: %d bytes, %v, %s", name, size, r.Meta, last)
		}
	}
}
