package combined

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
)

// The four lists.
const (
	toolsList     = "tools/list"
	promptsList   = "prompts/list"
	resourcesList = "resources/list"
	templatesList = "resources/templates/list"
)

// kind says what stands in a list.
type kind struct {
	member string // of the result
	key    string // by which its entries are known
	names  bool   // they are names of ours, not addresses
}

// listMethods are the methods that list something.
func listMethods() []string { return []string{toolsList, promptsList, resourcesList, templatesList} }

func kindOf(method string) (k kind, ok bool) {
	switch method {
	case toolsList:
		return kind{"tools", "name", true}, true
	case promptsList:
		return kind{"prompts", "name", true}, true
	case resourcesList:
		return kind{"resources", "uri", false}, true
	case templatesList:
		return kind{"resourceTemplates", "uriTemplate", false}, true
	}
	return kind{}, false
}

// list is one list of a source, with the names it has here. Immutable.
type list struct {
	hash    [sha256.Size]byte // over what the source sent
	items   []*item           // in the source's order (C6)
	byKey   map[string]*item  // by public name, or by address
	private bool
}

// item is one entry of a list: the source's bytes but for the name.
type item struct {
	own    string // name at the source
	public string // name here; of resources the address
	wire   json.RawMessage
	fits   *template // of resource templates; nil: it cannot be read
}

// askList reads a list of the source, page by page. A source that has no such list has an empty one.
func (src *source) askList(ctx context.Context, r *edge.Request, method string, of kind) (told[*list], error) {
	answer := told[*list]{ttl: src.s.cfg.ListTTL}
	var pages []*strictjson.Message
	var entries [][]strictjson.Span
	h, size, cursor := sha256.New(), 0, ""
	for {
		params := ""
		if cursor != "" {
			text, _ := json.Marshal(cursor)
			params = `"cursor":` + string(text) + `,`
		}
		m, err := src.put(ctx, r, method, params)
		if lacks(err) {
			break
		} else if err != nil {
			return answer, err
		}
		at := m.Member(m.Result, of.member)
		if m.Bytes(at) == nil || m.Bytes(at)[0] != '[' {
			return answer, fmt.Errorf("%s: the answer has no %s", method, of.member)
		}
		ttl, private := src.hints(m, answer.ttl)
		answer.ttl, answer.private = min(ttl, answer.ttl), answer.private || private
		pages, entries = append(pages, m), append(entries, m.Elements(at))
		h.Write(m.Bytes(at))
		size += len(m.Body)
		next, more := m.Text(m.Member(m.Result, "nextCursor"))
		if !more {
			break
		}
		if next == cursor || len(pages) == maxPages || size > maxBytes {
			return answer, errors.New(method + ": the list has no end")
		}
		cursor = next
	}
	hash := [sha256.Size]byte(h.Sum(nil))
	key := method + string(hash[:])
	made, known := src.read.Get(key)
	if !known {
		made = src.readList(hash, of, pages, entries)
		made.private = answer.private
	}
	if err := src.seen(ctx, r, method, made); err != nil {
		return answer, err
	}
	if !known {
		src.read.Make(key, func() (*list, int) { return made, size + 1024 })
	}
	if made.private != answer.private { // the same list, but not for the same eyes
		other := *made
		other.private, made = answer.private, &other
	}
	answer.value, answer.size = made, size
	return answer, nil
}

// readList makes entries of what was sent. What cannot be named or called here is left out, and said once for each version.
func (src *source) readList(hash [sha256.Size]byte, of kind, pages []*strictjson.Message, entries [][]strictjson.Span) *list {
	l := &list{hash: hash, byKey: map[string]*item{}}
	left := map[string]int{}
	for i, m := range pages {
		for _, at := range entries[i] {
			one, why := src.readItem(m, at, of)
			if why == "" && l.byKey[one.public] != nil {
				why = "there twice"
			}
			if why != "" {
				left[why]++
				continue
			}
			l.items = append(l.items, one)
			l.byKey[one.public] = one
		}
	}
	for why, n := range left {
		src.warn("entries of a list are left out", "list", of.member, "entries", n, "why", why)
	}
	return l
}

// readItem reads one entry and gives it its name here, by splicing the bytes of that one string (C3).
func (src *source) readItem(m *strictjson.Message, at strictjson.Span, of kind) (one *item, why string) {
	key := m.Member(at, of.key)
	own, ok := m.Text(key)
	switch {
	case !ok || own == "":
		return nil, "without " + of.key
	case of.member == "tools" && !mcp.ValidToolName(own): // J11: a call of it would be one of an unknown tool
		return nil, mcp.ToolNameRule
	case !of.names:
		one = &item{own: own, public: own, wire: m.Bytes(at)}
		if of.key == "uriTemplate" {
			one.fits = newTemplate(own)
		}
		return one, ""
	case src.Made && !strings.HasPrefix(own, src.As+separator):
		return nil, "without the prefix of its source"
	case src.Made:
		return &item{own: own, public: own, wire: m.Bytes(at)}, ""
	}
	public := PublicName(src.As, own)
	name, _ := json.Marshal(public)
	wire := make([]byte, 0, at.End-at.Start+len(name))
	wire = append(append(append(wire, m.Body[at.Start:key.Start]...), name...), m.Body[key.End:at.End]...)
	return &item{own: own, public: public, wire: wire}, ""
}

// seen shows definitions of tools to who pins them (Q7: before any of them is listed or called), unless they were the last
// ones shown: what was seen before another list has to be judged again (Q5).
func (src *source) seen(ctx context.Context, r *edge.Request, method string, l *list) error {
	if src.s.cfg.Hold == nil || src.Made || method != toolsList {
		return nil
	}
	src.showing.Lock()
	defer src.showing.Unlock()
	now := shown{string(edge.Offers(r.Capabilities)), l.hash}
	if src.shown == now {
		return nil
	}
	if err := src.s.cfg.Hold.Seen(ctx, src.As, now.offers, src.definitions(l)); err != nil {
		return fmt.Errorf("look at the tools: %w", err)
	}
	src.shown = now
	return nil
}

func (src *source) definitions(l *list) []Definition {
	tools := make([]Definition, len(l.items))
	for i, one := range l.items {
		tools[i] = Definition{Name: one.public, Source: src.As, Wire: one.wire}
	}
	return tools
}

// find returns what is called public in one of the source's lists, or nil. What is not in the list we have may be in the
// next one, so that the source is asked before the answer is no.
func (src *source) find(ctx context.Context, r *edge.Request, method, public string) (*item, error) {
	b := src.lists[method]
	if l, known, fresh := b.peek(r); known {
		if one := l.byKey[public]; one != nil || fresh && src.Made {
			return one, nil
		}
	}
	if method == toolsList && !mcp.ValidToolName(public) {
		return nil, nil // J11: no list has it
	}
	l, err := b.since(ctx, r, src.s.now().Add(-time.Second))
	if err != nil {
		return nil, err
	}
	return l.byKey[public], nil
}
