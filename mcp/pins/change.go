package pins

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// change is what one list makes of the pins.
type change struct {
	b *Book
	listOf
	first   bool // the source was never seen
	others  []string
	put     []Pin
	drop    []string
	visible []string // tools of which what is held became other
	full    *bool    // pins may be missing; nil: nobody asked
	turned  bool     // a list that held a tool no longer has it: what the others make of that is to be seen
}

// know notes what was listed (Q7). What a whole list no longer has is known to nobody.
func (w *change) know(tools []Definition, whole bool) {
	known := w.b.known[w.listOf]
	if known == nil || whole {
		known = make(map[string]bool, len(tools))
	}
	for i, t := range tools {
		if known[t.Name] = true; whole {
			w.b.place[t.Name] = i
		}
	}
	if whole {
		for name := range w.b.known[w.listOf] {
			if !known[name] {
				w.unknown(name)
			}
		}
	}
	w.b.known[w.listOf] = known
	w.b.whole[w.prefix] = w.b.whole[w.prefix] || whole
}

// unknown forgets a tool that has gone.
func (w *change) unknown(name string) {
	delete(w.b.place, name)
	for of, known := range w.b.known {
		if of.prefix == w.prefix {
			delete(known, name)
		}
	}
}

// elsewhere reports whether only other clients than those of this list were shown a tool.
func (w *change) elsewhere(name string) bool {
	if w.b.known[w.listOf][name] {
		return false
	}
	for of, known := range w.b.known {
		if of.prefix == w.prefix && known[name] {
			return true
		}
	}
	return false
}

func (w *change) judge(ctx context.Context, t Definition) {
	text := t.text()
	hash := hashOf(text)
	pin, now := w.b.pins[t.Name], w.b.now()
	switch {
	case pin == nil && !w.first && (w.b.rule.Added == "hold" || w.b.rule.Changed != "allow" && w.crowded()):
		pin = &Pin{Server: w.b.Server, Tool: t.Name, HeldHash: hash, Held: text, Since: now}
		w.hold(ctx, pin, "")
	case pin == nil:
		pin = &Pin{Server: w.b.Server, Tool: t.Name, Hash: hash, Approved: text, Since: now}
	case pin.Hash == hash && w.astray(t.Name): // but others are shown what is held
		if pin.Gone.IsZero() {
			return
		}
		pin.Gone = time.Time{}
	case pin.Hash == hash && pin.HeldHash == "" && pin.Gone.IsZero():
		return
	case pin.Hash == hash: // back to what was approved (Q5)
		if pin.HeldHash != "" {
			w.visible = append(w.visible, t.Name)
		}
		pin.HeldHash, pin.Held, pin.Gone = "", nil, time.Time{}
	case pin.HeldHash == hash:
		w.stray(t.Name)
		if pin.Gone.IsZero() {
			return
		}
		pin.Gone = time.Time{}
	case w.b.rule.Changed == "allow" && pin.Hash != "":
		pin.Hash, pin.Approved, pin.HeldHash, pin.Held, pin.Since, pin.Gone = hash, text, "", nil, now, time.Time{}
		w.visible = append(w.visible, t.Name)
		delete(w.b.astray, t.Name)
	default:
		old := pin.Hash
		pin.HeldHash, pin.Held, pin.Since, pin.Gone = hash, text, now, time.Time{}
		w.hold(ctx, pin, old)
	}
	w.lint(ctx, t.Name, text)
	w.b.pins[t.Name] = pin
	w.put = append(w.put, *pin)
}

func hashOf(text []byte) string { return fmt.Sprintf("%x", sha256.Sum256(text)) }

// stray notes that this list shows another tool than the one that was approved.
func (w *change) stray(name string) {
	lists := w.b.astray[name]
	if lists == nil {
		if w.b.astray == nil {
			w.b.astray = map[string]map[listOf]bool{}
		}
		lists = map[listOf]bool{}
		w.b.astray[name] = lists
	}
	lists[w.listOf] = true
}

// astray reports whether a tool that is here as it was approved is held for what clients with other offers are shown. Whoever
// declares something else must not lift their hold, nor take it out of an administrator's sight.
func (w *change) astray(name string) bool {
	w.straight(name)
	return len(w.b.astray[name]) > 0 && w.b.rule.Changed != "allow"
}

// straight notes that this list does not, or no longer, show another one.
func (w *change) straight(name string) (turned bool) {
	lists := w.b.astray[name]
	turned = lists[w.listOf]
	if delete(lists, w.listOf); len(lists) == 0 {
		delete(w.b.astray, name)
	}
	return turned
}

// hold writes down that a tool is held back (Q3).
func (w *change) hold(ctx context.Context, pin *Pin, old string) {
	w.stray(pin.Tool)
	w.visible = append(w.visible, pin.Tool)
	w.b.Log.WarnContext(ctx, "tool.quarantined", "server", pin.Server, "tool", mcp.Clip(pin.Tool), "approved", old, "held", pin.HeldHash)
}

// gone marks what the list lacks, and drops what has been gone for long (Q5).
func (w *change) gone(tools []Definition) {
	now, listed := w.b.now(), make(map[string]bool, len(tools))
	for _, t := range tools {
		listed[t.Name] = true
	}
	for name, pin := range w.b.pins {
		if !strings.HasPrefix(name, w.prefix) || listed[name] {
			continue
		}
		w.turned = w.straight(name) || w.turned
		if w.elsewhere(name) {
			continue
		}
		switch {
		case pin.Gone.IsZero():
			pin.Gone = now
			w.put = append(w.put, *pin)
		case now.Sub(pin.Gone) > keepGone:
			delete(w.b.pins, name)
			delete(w.b.astray, name)
			w.drop = append(w.drop, name)
		}
	}
	w.forget()
}

// gone are the pins of tools that disappeared, and how many bytes they take up.
func (b *Book) gone() (gone []*Pin, size int) {
	for _, pin := range b.pins {
		if !pin.Gone.IsZero() {
			gone = append(gone, pin)
			size += len(pin.Approved) + len(pin.Held)
		}
	}
	return gone, size
}

// crowded reports whether pins may be missing that are not old enough to: some had to go, here or before a restart.
func (w *change) crowded() bool {
	if w.full == nil {
		gone, _ := w.b.gone()
		full := len(gone) >= maxGone || !w.b.forgot.IsZero() && w.b.now().Sub(w.b.forgot) <= keepGone
		w.full = &full
	}
	return *w.full
}

// forget drops those that went first when there are too many.
func (w *change) forget() {
	gone, size := w.b.gone()
	if len(gone) <= maxGone && size <= maxGoneBytes {
		return
	}
	w.b.forgot = w.b.now()
	slices.SortFunc(gone, func(x, y *Pin) int { return x.Gone.Compare(y.Gone) })
	for i, pin := range gone {
		if len(gone)-i <= maxGone && size <= maxGoneBytes {
			break
		}
		size -= len(pin.Approved) + len(pin.Held)
		delete(w.b.pins, pin.Tool)
		delete(w.b.astray, pin.Tool)
		w.drop = append(w.drop, pin.Tool)
	}
	w.put = slices.DeleteFunc(w.put, func(p Pin) bool { return w.b.pins[p.Tool] == nil })
}

func (w *change) write(ctx context.Context) error {
	if len(w.put) > 0 {
		if err := w.b.Store.PutPins(ctx, w.put); err != nil {
			return err
		}
	}
	if len(w.drop) > 0 {
		if err := w.b.Store.DropPins(ctx, w.b.Server, w.drop); err != nil {
			return err
		}
	}
	if len(w.visible) > 0 {
		w.b.told(w.visible...)
	}
	return nil
}

// merged has each name once. A name that a list has twice is one tool made of all its definitions: else the one that was
// approved would cover for the other.
func merged(tools []Definition) []Definition {
	at := make(map[string]int, len(tools))
	list := make([]Definition, 0, len(tools))
	for _, t := range tools {
		i, twice := at[t.Name]
		if !twice {
			at[t.Name] = len(list)
			list = append(list, t)
			continue
		}
		list[i].twins = append(list[i].twins[:len(list[i].twins):len(list[i].twins)], t.Wire)
	}
	return list
}

// text is what of a tool is pinned. A definition that has no canonical form is pinned as it is written.
func (t Definition) text() []byte {
	text := canonicalOr(t.Wire)
	if len(t.twins) == 0 {
		return text
	}
	text = append(text[:len(text)-1:len(text)-1], `,"twins":[`...)
	for i, twin := range t.twins {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, canonicalOr(twin)...)
	}
	return append(text, "]}"...)
}

func canonicalOr(definition json.RawMessage) []byte {
	if text, err := Canonical(definition); err == nil {
		return text
	}
	return definition
}
