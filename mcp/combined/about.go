package combined

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// about is what a source says of itself. Immutable.
type about struct {
	capabilities map[string]any
	instructions string
	title        string            // its name for people; "" when it has none
	hash         [sha256.Size]byte // of all three
	private      bool
}

const aboutTime = time.Minute

func (src *source) askAbout(ctx context.Context, r *edge.Request) (told[*about], error) {
	answer := told[*about]{ttl: aboutTime}
	m, err := src.put(ctx, r, "server/discover", "")
	if err != nil {
		return answer, err
	}
	a := &about{}
	if raw := m.Bytes(m.Member(m.Result, "capabilities")); raw != nil {
		_ = json.Unmarshal(raw, &a.capabilities) // what is no object offers nothing
	}
	a.instructions, _ = m.Text(m.Member(m.Result, "instructions"))
	info := m.Member(m.Member(m.Result, "_meta"), "io.modelcontextprotocol/serverInfo")
	for _, key := range []string{"name", "title"} {
		if text, ok := m.Text(m.Member(info, key)); ok && strings.TrimSpace(text) != "" {
			a.title = heading(text)
		}
	}
	text, _ := json.Marshal([]any{a.capabilities, a.instructions, a.title})
	a.hash = sha256.Sum256(text)
	answer.ttl, a.private = src.hints(m, answer.ttl)
	answer.value, answer.private, answer.size = a, a.private, len(m.Body)
	return answer, nil
}

// offers reports whether a source has a capability; one that cannot be asked may have it.
func (src *source) offers(ctx context.Context, r *edge.Request, capability string) bool {
	a, err := src.about.get(ctx, r)
	if err != nil {
		return true
	}
	_, has := a.capabilities[capability]
	return has
}

// gatherAbout asks every source what it is, all at once; nil stands for one that does not answer (C5).
func (s *Server) gatherAbout(ctx context.Context, r *edge.Request) []*about {
	all := make([]*about, len(s.sources))
	var wait sync.WaitGroup
	for i, src := range s.sources {
		if a, _, fresh := src.about.peek(r); fresh {
			all[i] = a
			continue
		}
		wait.Go(func() {
			if a, err := src.about.get(ctx, r); err == nil {
				all[i] = a
			}
		})
	}
	wait.Wait()
	return all
}

// initialize answers the handshake ourselves: the sources are behind us. It never fails, so that a client that comes while
// every source is down has a session when they are back.
func (s *Server) initialize(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	revision, _ := json.Marshal(r.Revision)
	b := append([]byte(`{"protocolVersion":`), revision...)
	return append(append(b, s.described(s.gatherAbout(ctx, r), false)...), '}'), nil
}

// discover answers server/discover.
func (s *Server) discover(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	all := s.gatherAbout(ctx, r)
	private, partial := s.private, false
	for _, a := range all {
		partial = partial || a == nil
		private = private || a != nil && a.private
	}
	versions, _ := json.Marshal(edge.Supported())
	b := append([]byte(`{"supportedVersions":`), versions...)
	b = append(b, s.described(all, true)...)
	return append(b, s.tail(private, partial)...), nil
}

// described is capabilities and instructions of all sources, made once for each version of them.
func (s *Server) described(all []*about, modern bool) []byte {
	key := make([]byte, 0, len(all)*sha256.Size+1)
	for _, a := range all {
		if a == nil {
			a = &about{}
		}
		key = append(key, a.hash[:]...)
	}
	if modern {
		key = append(key, 1)
	}
	return s.abouts.Make(string(key), func() ([]byte, int) {
		b := s.describe(all, modern)
		return b, len(b)
	})
}

func (s *Server) describe(all []*about, modern bool) []byte {
	capabilities := map[string]any{"tools": map[string]any{"listChanged": true}}
	for _, a := range all {
		if a != nil {
			unite(capabilities, a.capabilities)
		}
	}
	offerTasks(capabilities, modern)
	b := []byte(`,"capabilities":`)
	if !modern {
		unite(capabilities, map[string]any{"logging": map[string]any{}}) // the level is kept with the session
	}
	text, _ := json.Marshal(capabilities)
	b = append(b, text...)
	if !modern { // modern results carry it in _meta
		b = append(append(b, `,"serverInfo":`...), s.info...)
	}
	if instructions := s.instructions(all); instructions != "" {
		text, _ := json.Marshal(instructions)
		b = append(append(b, `,"instructions":`...), text...)
	}
	return b
}

// offerTasks leaves of tasks what a client of this era can ask for. They are not listed: a source knows nobody but the gateway,
// and would list everybody's.
func offerTasks(capabilities map[string]any, modern bool) {
	extensions, _ := capabilities["extensions"].(map[string]any)
	tasks, _ := capabilities["tasks"].(map[string]any)
	if modern {
		delete(capabilities, "tasks")
		return
	}
	delete(tasks, "list")
	delete(extensions, tasksExtension)
}

// unite adds what from offers (C4): what one source can do, the whole can.
func unite(to, from map[string]any) {
	for key, value := range from {
		switch value := value.(type) {
		case map[string]any:
			inner, ok := to[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				to[key] = inner
			}
			unite(inner, value)
		case bool:
			had, _ := to[key].(bool)
			to[key] = had || value
		default:
			if _, ok := to[key]; !ok {
				to[key] = value
			}
		}
	}
}

// instructions are the configured ones, or each source's under a heading of its title, together within the limit (C4). Who
// has little to say leaves room for the others.
func (s *Server) instructions(all []*about) string {
	if s.cfg.Instructions != "" {
		return s.cfg.Instructions
	}
	type section struct{ head, text []rune }
	var sections []section
	for i, a := range all {
		if a == nil || strings.TrimSpace(a.instructions) == "" {
			continue
		}
		title := cmp.Or(s.sources[i].Title, a.title, s.sources[i].As)
		sections = append(sections, section{[]rune("## " + title + "\n\n"), []rune(strings.TrimSpace(a.instructions))})
	}
	const between = "\n\n"
	room := mcp.MaxInstructions
	for _, one := range sections {
		room -= len(one.head) + len(between)
	}
	// The shortest are given room first; what they leave is shared by the others.
	byLength := make([]int, len(sections))
	for i := range byLength {
		byLength[i] = i
	}
	slices.SortStableFunc(byLength, func(a, b int) int { return len(sections[a].text) - len(sections[b].text) })
	for n, i := range byLength {
		share := max(room/(len(sections)-n), 0)
		sections[i].text = cut(sections[i].text, share)
		room -= len(sections[i].text)
	}
	texts := make([]string, 0, len(sections))
	for _, one := range sections {
		if len(one.text) > 0 {
			texts = append(texts, string(one.head)+string(one.text))
		}
	}
	return string(cut([]rune(strings.Join(texts, between)), mcp.MaxInstructions))
}

// heading makes one short line of what a source calls itself.
func heading(text string) string {
	return string(cut([]rune(strings.Join(strings.Fields(text), " ")), maxName))
}

// cut shortens a text to so many characters, and shows that it did.
func cut(text []rune, most int) []rune {
	switch {
	case len(text) <= most:
		return text
	case most == 0:
		return nil
	}
	return append(text[:most-1:most-1], '…')
}

// serverInfo is how the server names itself (B4).
func serverInfo(cfg Config) []byte {
	version := cfg.Version
	if version == "" {
		version = "0.0.0"
	}
	b, _ := json.Marshal(struct {
		Name        string `json:"name"`
		Title       string `json:"title,omitempty"`
		Version     string `json:"version"`
		Description string `json:"description,omitempty"`
	}{cfg.Name, cfg.Title, version, cfg.Description})
	return b
}

// tail ends a modern result of ours that may be kept. One in which a source is missing may not: it is back any moment.
func (s *Server) tail(private, partial bool) []byte {
	ttl, scope := s.cfg.ListTTL, "public"
	if private {
		scope = "private"
	}
	if partial {
		ttl = 0
	}
	b, _ := json.Marshal(ttl.Milliseconds())
	b = append([]byte(`,"resultType":"complete","ttlMs":`), b...)
	b = append(b, `,"cacheScope":"`+scope+`","_meta":{"io.modelcontextprotocol/serverInfo":`...)
	return append(append(b, s.info...), "}}"...)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
