package orders

import (
	"bytes"
	"encoding/json"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func call(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEachRequestAnswersAsTheDocumentSays(t *testing.T) {
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"list", "GET", "/orders", "", 200, `"total":20`},
		{"list one state", "GET", "/orders?status=paid", "", 200, `"status":"paid"`},
		{"unknown state", "GET", "/orders?status=lost", "", 400, "status must be one of"},
		{"limit too high", "GET", "/orders?limit=101", "", 400, "limit must be"},
		{"foreign cursor", "GET", "/orders?cursor=x", "", 400, "cursor must be"},
		{"get", "GET", "/orders/1001", "", 200, `"id":"1001"`},
		{"get nothing", "GET", "/orders/9", "", 404, "there is no order"},
		{"create", "POST", "/orders", `{"customer":"Eve","lines":[{"sku":"MUG-BLUE","quantity":3,"price":12}]}`, 201, `"total":36`},
		{"create nothing", "POST", "/orders", `{}`, 422, "needs a customer"},
		{"create with a stranger", "POST", "/orders", `{"who":"Eve"}`, 400, "unknown field"},
		{"change", "PATCH", "/orders/1001", `{"note":"ring twice"}`, 200, "ring twice"},
		{"change to nothing known", "PATCH", "/orders/1001", `{"status":"lost"}`, 422, "status must be"},
		{"delete", "DELETE", "/orders/1002", "", 204, ""},
		{"report", "GET", "/reports/sales?seconds=0", "", 200, `"orders":20`},
		{"report for ever", "GET", "/reports/sales?seconds=1e9", "", 400, "from 0 to 60"},
		{"sync", "POST", "/stock/sync", "", 503, "does not answer"},
		{"nowhere", "GET", "/elsewhere", "", 404, "nothing at this address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := call(t, New(nil), c.method, c.path, c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("%s %s = %d %s, want %d with %q", c.method, c.path, w.Code, w.Body, c.status, c.want)
			}
		})
	}
}

func TestPagesCoverAllOrdersOnce(t *testing.T) {
	h, seen, cursor := New(nil), map[string]bool{}, ""
	for range 10 {
		w := call(t, h, "GET", "/orders?limit=7&cursor="+cursor, "")
		var page struct {
			Orders     []Order `json:"orders"`
			NextCursor string  `json:"next_cursor"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Orders {
			if seen[o.ID] {
				t.Errorf("order %s is on two pages", o.ID)
			}
			seen[o.ID] = true
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 20 {
		t.Errorf("pages held %d orders, want 20", len(seen))
	}
}

func TestUploadIsCountedAndKeptWithItsOrder(t *testing.T) {
	h := New(nil)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, _ := m.CreateFormFile("file", "../invoice.pdf")
	_, _ = part.Write([]byte("12345"))
	_ = m.WriteField("note", "signed")
	_ = m.Close()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/orders/1003/documents", &form)
	r.Header.Set("Content-Type", m.FormDataContentType())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var d Document
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 201 || d.Bytes != 5 || d.Name != "invoice.pdf" || d.Note != "signed" {
		t.Fatalf("upload = %d %+v (%v), want 201, 5 bytes, base name, note", w.Code, d, err)
	}
	if got := call(t, h, "GET", "/orders/1003", "").Body.String(); !strings.Contains(got, d.SHA256) {
		t.Errorf("order 1003 = %s, want the document in it", got)
	}
}

func TestLabelIsAPicture(t *testing.T) {
	w := call(t, New(nil), "GET", "/orders/1001/label.png", "")
	if _, err := png.Decode(w.Body); err != nil || w.Header().Get("Content-Type") != "image/png" {
		t.Errorf("label = %s, %v; want a PNG", w.Header().Get("Content-Type"), err)
	}
}

func TestReportStopsWhenTheCallerGoes(t *testing.T) {
	gone := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		New(nil).ServeHTTP(w, r)
		close(gone)
	}))
	defer server.Close()
	client := &http.Client{Timeout: 50 * time.Millisecond}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/reports/sales?seconds=60", nil)
	if answer, err := client.Do(r); err == nil {
		_ = answer.Body.Close()
		t.Fatal("the report answered although it takes 60 s")
	}
	<-gone
}
