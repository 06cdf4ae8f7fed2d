package upstream

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// hearModern is subscriptions/listen (§7.1): its first event says what is told.
func (e *ear) hearModern(ctx context.Context, want edge.Interest) (heard bool, err error) {
	wishes, err := json.Marshal(want)
	if err != nil {
		return false, err
	}
	m, err := message(e.l.nextID(), "subscriptions/listen", append(append([]byte(`{"notifications":`), wishes...), '}'))
	if err != nil {
		return false, err
	}
	m = e.l.addressed(m, e.on, true)
	s := &sending{l: e.l, on: e.on, http: http.MethodPost, m: m, listen: true, quiet: true, header: http.Header{versionHeader: {edge.Modern}, "Mcp-Method": {m.Method}}}
	w, err := e.l.open(ctx, s.call(ctx))
	if err != nil {
		return false, err
	}
	defer func() { w.close(heard) }()
	answer, err := w.answerTo(m, func(m *strictjson.Message) {
		if m.Method == "notifications/subscriptions/acknowledged" {
			heard = true
			e.settle(acknowledged(m), nil)
			return
		}
		e.tell(m)
	}, nil)
	if answer != nil && answer.Error.Present() {
		return heard, e.noListening(answer)
	}
	return heard, err
}

// noListening is an upstream that has no such method: nothing is told, which is no fault.
func (e *ear) noListening(answer *strictjson.Message) error {
	if code(answer) == "-32601" {
		return errNotAllowed
	}
	return Error(answer)
}

// acknowledged reads what the upstream agreed to tell.
func acknowledged(m *strictjson.Message) edge.Interest {
	var can edge.Interest
	_ = json.Unmarshal(m.Bytes(m.Notifications), &can) // what cannot be read was not agreed
	return can
}

// hearLegacy is the GET stream of a session, with its resources subscribed. The session is nobody's in particular: it
// declares no capabilities, so that it is asked nothing.
func (e *ear) hearLegacy(ctx context.Context, want edge.Interest) (heard bool, err error) {
	s, err := e.l.lease(ctx, e.on)
	if err != nil {
		return false, err
	}
	gone := false
	defer func() { e.l.cfg.Memory.pools.free(s, gone, e.l.now()) }()
	can := e.legacyCan(s)
	for _, uri := range want.URIs {
		if can.subscribe && e.subscribe(ctx, s, "resources/subscribe", uri) {
			can.URIs = append(can.URIs, uri)
		}
	}
	defer e.unsubscribe(s, can.URIs)
	if s.line != nil {
		e.settle(can.Interest, nil)
		err := s.line.hear(ctx, e.tell)
		return true, err
	}
	last, wait := "", firstWait
	for range maxResumes {
		h := s.header()
		if last != "" {
			h.Set("Last-Event-Id", last)
		}
		w, err := e.l.open(ctx, (&sending{l: e.l, on: e.on, http: http.MethodGet, header: h, listen: true, quiet: true}).call(ctx))
		if err != nil {
			return heard, err
		}
		w.lastID, w.inSession = last, s.id != ""
		err = e.readLegacy(w, s, can.Interest, &heard)
		last, wait = w.lastID, cmp.Or(w.retry, wait)
		w.close(heard)
		if gone = err == errNotFound && s.id != ""; ctx.Err() != nil || err != nil && !heard || gone {
			return heard, err
		}
		if !sleep(ctx, wait) { // what comes in between is not lost where events have ids (U4)
			return heard, err
		}
	}
	return heard, err
}

// legacyInterest is what a legacy upstream tells, by its capabilities.
type legacyInterest struct {
	edge.Interest
	subscribe bool
}

func (e *ear) legacyCan(s *session) legacyInterest {
	var all struct {
		Tools     struct{ ListChanged bool }
		Prompts   struct{ ListChanged bool }
		Resources struct{ ListChanged, Subscribe bool }
	}
	_ = json.Unmarshal(s.info.Capabilities, &all) // what cannot be read is not offered
	return legacyInterest{
		Interest:  edge.Interest{Tools: all.Tools.ListChanged, Prompts: all.Prompts.ListChanged, Resources: all.Resources.ListChanged},
		subscribe: all.Resources.Subscribe,
	}
}

func (e *ear) subscribe(ctx context.Context, s *session, method, uri string) bool {
	text, _ := json.Marshal(uri)
	answer, err := s.ask(ctx, method, append(append([]byte(`{"uri":`), text...), '}'))
	return err == nil && !answer.Error.Present()
}

// unsubscribe ends what this stream subscribed to: the session may serve others after it.
func (e *ear) unsubscribe(s *session, uris []string) {
	if len(uris) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeWithin)
	defer cancel()
	for _, uri := range uris {
		_ = e.subscribe(ctx, s, "resources/unsubscribe", uri)
	}
}

// readLegacy reads one GET stream to its end. The server's questions have nobody to go to, apart from ping.
func (e *ear) readLegacy(w *wire, s *session, can edge.Interest, heard *bool) error {
	if none, err := w.begin(); err != nil || none {
		return err
	}
	*heard = true
	slices.Sort(can.URIs)
	e.settle(can, nil)
	for {
		m, err := w.next()
		if err != nil {
			return err
		}
		switch m.Kind {
		case strictjson.Notification:
			e.tell(m)
		case strictjson.Request:
			s.refuse(w.ctx, m)
		}
	}
}
