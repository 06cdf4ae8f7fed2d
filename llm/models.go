package llm

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// listedModel is a model as OpenAI's clients read it (EP-5).
type listedModel struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

// listModels answers GET models and GET models/{id} with what the caller may use, and nothing else (KEY-6).
func (x *exchange) listModels() error {
	if x.route.model != "" {
		m := x.granted(x.route.model)
		if m == nil {
			return unknownModel(x.route.model)
		}
		return x.json(x.snap.Models.listed(m))
	}
	list := []listedModel{}
	for _, m := range x.snap.Models.All() {
		if x.mayUse(m) {
			list = append(list, x.snap.Models.listed(m))
		}
	}
	return x.json(struct {
		Object string        `json:"object"`
		Data   []listedModel `json:"data"`
	}{"list", list})
}

func (c *Catalogue) listed(m *Model) listedModel {
	return listedModel{ID: m.Name, Object: "model", Created: max(c.created.Unix(), 0), OwnedBy: "drawbridge"}
}

// granted returns the model of that name when the caller may use it, else nil.
func (x *exchange) granted(name string) *Model {
	if m := x.snap.Models.Find(name); m != nil && x.mayUse(m) {
		return m
	}
	return nil
}

func (x *exchange) mayUse(m *Model) bool { return x.h.Grants != nil && x.h.Grants(x.caller, m) }

func (x *exchange) json(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	x.w.WriteHeader(http.StatusOK)
	_, _ = x.w.Write(text)
	return nil
}
