package openapi

import (
	"fmt"
	"strings"
	"testing"
)

func TestPartsHaveTheTypeOfTheirSchema(t *testing.T) { // §8.3, OAS 3.1: contentMediaType where no encoding says otherwise
	base, seen := echoServer(t)
	for _, c := range []struct{ property, encoding, value, want string }{
		{`{"type":"string","contentMediaType":"image/png"}`, ``, `"aGk="`, `; filename="file.png"` + "\r\nContent-Type: image/png\r\n\r\nhi"},
		{`{"contentMediaType":"image/png"}`, ``, `"aGk="`, `; filename="file.png"` + "\r\nContent-Type: image/png\r\n\r\nhi"},
		{`{"type":"array","items":{"type":"string","contentMediaType":"image/gif"}}`, ``, `["aGk="]`, `; filename="file.gif"` + "\r\nContent-Type: image/gif\r\n\r\nhi"},
		{`{"type":"string","contentMediaType":"image/png"}`, `,"encoding":{"v":{"contentType":"image/webp"}}`, `"aGk="`, "\r\nContent-Type: image/webp\r\n\r\nhi"},
		{`{"type":"string","contentMediaType":"image/png"}`, ``, `{"data":"aGk=","content_type":"image/jpeg"}`, "\r\nContent-Type: image/jpeg\r\n\r\nhi"},
		{`{"type":"string","contentMediaType":"application/octet-stream"}`, ``, `"aGk="`, "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi"},
		{`{"type":"string","contentMediaType":"text/csv"}`, ``, `"a,b"`, "name=\"v\"\r\nContent-Type: text/csv\r\n\r\na,b"},
		{`{"type":"string","contentMediaType":"image/png","contentEncoding":"base64"}`, ``, `"aGk="`, "name=\"v\"\r\n\r\naGk="},
		{`{"type":"string","contentMediaType":"application/json"}`, ``, `"{}"`, "name=\"v\"\r\n\r\n{}"},
	} {
		doc := bodyOperation("multipart/form-data", fmt.Sprintf(`{"type":"object","properties":{"v":%s}}`, c.property), c.encoding)
		tool := importText(t, strings.Replace(doc, `"3.0.3"`, `"3.1.0"`, 1), Options{}).Tools[0]
		e, err := send(t, tool, base, seen, `{"v":`+c.value+`}`)
		if err != nil || !strings.Contains(string(e.Body), c.want+"\r\n--") {
			t.Errorf("%s %s: %v, sent\n%s\nwant %q", c.property, c.value, err, e.Body, c.want)
		}
	}
}

func TestListsOfFilesThatMayBeNullAreFiles(t *testing.T) { // A10
	base, seen := echoServer(t)
	const file = `{"type":"string","format":"binary"}`
	for _, property := range []string{`{"anyOf":[{"type":"array","items":` + file + `},{"type":"null"}]}`, `{"type":["array","null"],"items":` + file + `}`} {
		doc := bodyOperation("multipart/form-data", `{"type":"object","properties":{"v":`+property+`}}`, "")
		tool := importText(t, strings.Replace(doc, `"3.0.3"`, `"3.1.0"`, 1), Options{}).Tools[0]
		e, err := send(t, tool, base, seen, `{"v":["aGk=",{"data":"aG8=","filename":"b.txt"}]}`)
		if err != nil || !strings.Contains(string(e.Body), `filename="file.txt"`) || !strings.Contains(string(e.Body), `filename="b.txt"`) || !strings.Contains(string(e.Body), "\r\n\r\nho\r\n") {
			t.Errorf("%s: %v, sent\n%s", property, err, e.Body)
		}
		if !strings.Contains(string(tool.InputSchema), `"filename"`) {
			t.Errorf("%s: %s", property, tool.InputSchema)
		}
	}
}
