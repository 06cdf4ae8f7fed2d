// Package orders is a small, real REST API with its OpenAPI document: what `drawbridge try` serves when it is given no
// document, and what the tests call. Orders live in memory and begin as the same twenty each time.
//
//	New ─▶ http.Handler ─ routes of orders.openapi.yaml ─▶ store (in memory, capped)
package orders

import (
	_ "embed"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// OpenAPI is the API's document, YAML.
//
//go:embed orders.openapi.yaml
var OpenAPI []byte

const (
	maxBody     = 64 << 10 // of a JSON request
	maxDocument = 1 << 20  // of an attached file
)

// Order is one order as the API shows it.
type Order struct {
	ID        string     `json:"id"`
	Customer  string     `json:"customer"`
	Status    string     `json:"status"`
	Lines     []Line     `json:"lines"`
	Note      string     `json:"note,omitempty"`
	Total     float64    `json:"total"` // EUR
	Created   time.Time  `json:"created"`
	Documents []Document `json:"documents,omitempty"`
}

// Line is one thing ordered.
type Line struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"` // of one, EUR
}

// Document says what was attached; the bytes themselves are not kept.
type Document struct {
	Name      string `json:"name"`
	MediaType string `json:"media_type"`
	Bytes     int64  `json:"bytes"`
	SHA256    string `json:"sha256"`
	Note      string `json:"note,omitempty"`
}

// New returns the API with its first twenty orders. now is the clock; nil means time.Now.
func New(now func() time.Time) http.Handler {
	if now == nil {
		now = time.Now
	}
	a := &api{store: newStore(now), now: now}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /orders":                 a.list,
		"POST /orders":                a.create,
		"GET /orders/{id}":            a.get,
		"PATCH /orders/{id}":          a.update,
		"DELETE /orders/{id}":         a.delete,
		"POST /orders/{id}/documents": a.upload,
		"GET /orders/{id}/label.png":  a.label,
		"GET /reports/sales":          a.sales,
		"POST /stock/sync":            a.sync,
		"GET /openapi.yaml":           a.document,
		"/": func(http.ResponseWriter, *http.Request) error {
			return problem(404, "there is nothing at this address")
		},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { answer(w, h(w, r)) })
	}
	return mux
}

type api struct {
	store *store
	now   func() time.Time
}

// fault is an error that the caller is told as problem+json.
type fault struct {
	status int
	detail string
	retry  int // seconds; 0: not told
}

func (f *fault) Error() string { return f.detail }

func problem(status int, detail string) error { return &fault{status: status, detail: detail} }

func answer(w http.ResponseWriter, err error) {
	if err == nil {
		return
	}
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{status: http.StatusInternalServerError, detail: "the orders API failed"}
	}
	w.Header().Set("Content-Type", "application/problem+json")
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.retry))
	}
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(f.status), "status": f.status, "detail": f.detail})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller may have gone; there is nobody to tell
	return nil
}

// readJSON reads one JSON object without unknown members.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	if t, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "send application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return problem(http.StatusBadRequest, "the body is not an order: "+err.Error())
	}
	return nil
}

func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	limit := 20
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 100 {
			return problem(http.StatusBadRequest, "limit must be a number from 1 to 100")
		}
		limit = n
	}
	if s := q.Get("status"); s != "" && !statuses[s] {
		return problem(http.StatusBadRequest, "status must be one of open, paid, shipped, delivered, cancelled")
	}
	page, total, next, err := a.store.list(q.Get("status"), q.Get("customer"), q.Get("cursor"), limit)
	if err != nil {
		return err
	}
	body := map[string]any{"orders": page, "total": total}
	if next != "" {
		body["next_cursor"] = next
	}
	return writeJSON(w, http.StatusOK, body)
}

func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	o, err := a.store.get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, o)
}

func (a *api) create(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Customer string `json:"customer"`
		Lines    []Line `json:"lines"`
		Note     string `json:"note"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Customer == "" || len(in.Lines) == 0 || len(in.Lines) > 50 {
		return problem(http.StatusUnprocessableEntity, "an order needs a customer and 1 to 50 lines")
	}
	for _, l := range in.Lines {
		if l.SKU == "" || l.Quantity < 1 || l.Quantity > 1000 || l.Price < 0 {
			return problem(http.StatusUnprocessableEntity, "a line needs a sku, a quantity from 1 to 1000 and a price that is not negative")
		}
	}
	o, err := a.store.add(Order{Customer: in.Customer, Lines: in.Lines, Note: in.Note, Status: "open", Total: total(in.Lines)})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/orders/"+o.ID)
	return writeJSON(w, http.StatusCreated, o)
}

func (a *api) update(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Status *string `json:"status"`
		Note   *string `json:"note"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Status != nil && !statuses[*in.Status] {
		return problem(http.StatusUnprocessableEntity, "status must be one of open, paid, shipped, delivered, cancelled")
	}
	o, err := a.store.change(r.PathValue("id"), func(o *Order) error {
		if in.Status != nil {
			if o.Status == "shipped" && *in.Status != "delivered" {
				return problem(http.StatusConflict, "a shipped order can only become delivered")
			}
			o.Status = *in.Status
		}
		if in.Note != nil {
			o.Note = *in.Note
		}
		return nil
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, o)
}

func (a *api) delete(w http.ResponseWriter, r *http.Request) error {
	if err := a.store.remove(r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// sales takes as long as it was asked to, and stops at once when the caller goes.
func (a *api) sales(w http.ResponseWriter, r *http.Request) error {
	seconds := 5.0
	if s := r.URL.Query().Get("seconds"); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || f < 0 || f > 60 {
			return problem(http.StatusBadRequest, "seconds must be a number from 0 to 60")
		}
		seconds = f
	}
	timer := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-r.Context().Done():
		return problem(499, "the caller has gone")
	case <-timer.C:
	}
	return writeJSON(w, http.StatusOK, a.store.sales())
}

func (a *api) sync(http.ResponseWriter, *http.Request) error {
	return &fault{status: http.StatusServiceUnavailable, detail: "the warehouse does not answer", retry: 30}
}

func (a *api) document(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(OpenAPI)
	return nil
}

func total(lines []Line) float64 {
	var cents int64
	for _, l := range lines {
		cents += int64(math.Round(l.Price*100)) * int64(l.Quantity)
	}
	return float64(cents) / 100
}
