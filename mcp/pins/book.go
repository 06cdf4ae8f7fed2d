package pins

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// keepGone is how long a tool that disappeared keeps its pin (Q5).
const keepGone = 30 * 24 * time.Hour

// Errors of Release.
var (
	ErrNoTool = errors.New("there is no such tool")
	ErrStale  = errors.New("the tool changed again since this hash was read")
)

// Pin is one tool of one server as it was approved, and as it is now where that differs.
type Pin struct {
	Server, Tool string
	Hash         string // of what was approved; "": nothing was
	Approved     []byte // canonical form of it
	HeldHash     string // of what is held back; "": nothing is
	Held         []byte
	Since        time.Time // of the last change of this pin
	Gone         time.Time // since when the tool is not listed; zero: it is
}

// Store keeps pins. Every method is atomic.
type Store interface {
	Pins(ctx context.Context, server string) ([]Pin, error)
	// PutPins writes pins, each by server and tool.
	PutPins(ctx context.Context, pins []Pin) error
	DropPins(ctx context.Context, server string, tools []string) error
}

// Rule is mcp_servers[].upstream_tools.
type Rule struct {
	// What happens to a tool whose definition changed: hold until an administrator releases it, or allow.
	Changed string `yaml:"changed" default:"hold" enum:"hold,allow"`
	// What happens to a tool that is new; those of the first list are taken as they are.
	Added string `yaml:"added" default:"allow" enum:"allow,hold"`
}

// Definition is a tool as its upstream defines it, by the name the server gives it.
type Definition struct {
	Name string
	Wire json.RawMessage
}

// Book holds one server's pins. Safe for concurrent use; it lives as long as the process.
type Book struct {
	Server string
	Store  Store
	Log    *slog.Logger
	Now    func() time.Time
	// Changed is told when a tool is held or free again; nil: nobody.
	Changed func()

	mu      sync.Mutex
	rule    Rule
	pins    map[string]*Pin // nil: not read yet
	known   map[string]bool // seen in a list since the start (Q7)
	lists   map[[32]byte]bool
	edition int
}

// Set takes over the rule of the current configuration.
func (b *Book) Set(rule Rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rule != rule {
		b.rule, b.lists = rule, nil // what was seen is judged anew
	}
}

func (b *Book) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// See compares a list with the pins (Q1 to Q7). The names of one source of a combined server begin with prefix; its first
// list is taken whole. whole says that the list is all there is of the source: what is missing then has gone. A list whose
// bytes were seen before costs a hash of them (Q9).
func (b *Book) See(ctx context.Context, prefix string, tools []Definition, whole bool) error {
	sum := sha256.New()
	for _, t := range tools {
		sum.Write([]byte(strconv.Itoa(len(t.Wire)) + ":"))
		sum.Write(t.Wire)
	}
	key := [32]byte(sum.Sum(nil))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lists[key] {
		return nil
	}
	if err := b.load(ctx); err != nil {
		return fmt.Errorf("read the pins: %w", err)
	}
	w := &change{b: b, prefix: prefix, first: true}
	for name := range b.pins {
		w.first = w.first && !strings.HasPrefix(name, prefix) // Q6
	}
	for _, t := range tools {
		if err := w.judge(ctx, t); err != nil {
			b.Log.WarnContext(ctx, "a tool's definition cannot be read", "server", b.Server, "tool", clip(t.Name), "err", err.Error())
		}
		b.known[t.Name] = true
	}
	if whole {
		w.gone(tools)
	}
	if err := w.write(ctx); err != nil {
		b.pins = nil // what was not written is not known
		return fmt.Errorf("write the pins: %w", err)
	}
	if len(b.lists) > 64 {
		b.lists = nil
	}
	if b.lists == nil {
		b.lists = map[[32]byte]bool{}
	}
	b.lists[key] = true
	return nil
}

// load reads the pins once.
func (b *Book) load(ctx context.Context) error {
	if b.known == nil {
		b.known = map[string]bool{}
	}
	if b.pins == nil {
		list, err := b.Store.Pins(ctx, b.Server)
		if err != nil {
			return err
		}
		b.pins = make(map[string]*Pin, len(list))
		for i := range list {
			b.pins[list[i].Tool] = &list[i]
		}
	}
	return nil
}

// change is what one list makes of the pins.
type change struct {
	b       *Book
	prefix  string
	first   bool // the source was never seen
	put     []Pin
	drop    []string
	visible bool // what is held became other
}

func (w *change) judge(ctx context.Context, t Definition) error {
	text, err := Canonical(t.Wire)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	hash := fmt.Sprintf("%x", sum)
	pin, now := w.b.pins[t.Name], w.b.now()
	switch {
	case pin == nil && !w.first && w.b.rule.Added == "hold":
		pin = &Pin{Server: w.b.Server, Tool: t.Name, HeldHash: hash, Held: text, Since: now}
		w.hold(ctx, pin, "")
	case pin == nil:
		pin = &Pin{Server: w.b.Server, Tool: t.Name, Hash: hash, Approved: text, Since: now}
	case pin.Hash == hash && pin.HeldHash == "" && pin.Gone.IsZero():
		return nil
	case pin.Hash == hash: // back to what was approved (Q5)
		w.visible = w.visible || pin.HeldHash != ""
		pin.HeldHash, pin.Held, pin.Gone = "", nil, time.Time{}
	case pin.HeldHash == hash:
		if pin.Gone.IsZero() {
			return nil
		}
		pin.Gone = time.Time{}
	case w.b.rule.Changed == "allow" && pin.Hash != "":
		pin.Hash, pin.Approved, pin.HeldHash, pin.Held, pin.Since, pin.Gone = hash, text, "", nil, now, time.Time{}
		w.visible = true
	default:
		old := pin.Hash
		pin.HeldHash, pin.Held, pin.Since, pin.Gone = hash, text, now, time.Time{}
		w.hold(ctx, pin, old)
	}
	w.b.lint(ctx, t)
	w.b.pins[t.Name] = pin
	w.put = append(w.put, *pin)
	return nil
}

// hold writes down that a tool is held back (Q3).
func (w *change) hold(ctx context.Context, pin *Pin, old string) {
	w.visible = true
	w.b.Log.WarnContext(ctx, "tool.quarantined", "server", pin.Server, "tool", clip(pin.Tool), "approved", old, "held", pin.HeldHash)
}

// lint warns of texts that are meant for models (Q8).
func (b *Book) lint(ctx context.Context, t Definition) {
	var d struct{ Title, Description string }
	_ = json.Unmarshal(t.Wire, &d)
	for _, what := range Lint(t.Name+"\n"+d.Title+"\n"+d.Description, nil) {
		b.Log.WarnContext(ctx, "a tool of an upstream looks wrong", "server", b.Server, "tool", clip(Visible(t.Name)), "finding", what)
	}
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
		switch {
		case pin.Gone.IsZero():
			pin.Gone = now
			w.put = append(w.put, *pin)
		case now.Sub(pin.Gone) > keepGone:
			delete(w.b.pins, name)
			w.drop = append(w.drop, name)
		}
	}
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
	if w.visible {
		w.b.told()
	}
	return nil
}

// told notes that what is held became other, and tells who wants to know, behind the lock.
func (b *Book) told() {
	b.edition++
	if b.Changed != nil {
		go b.Changed()
	}
}

// Held reports whether a tool may not be listed or called; text is what a call is told (Q3).
func (b *Book) Held(tool string) (text string, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pin := b.pins[tool]
	if pin == nil || pin.HeldHash == "" {
		return "", false
	}
	if pin.Hash == "" {
		return fmt.Sprintf("tool %q is new and was not approved yet; an administrator must release it", clip(tool)), true
	}
	return fmt.Sprintf("tool %q changed since it was approved; an administrator must release it", clip(tool)), true
}

// Known reports whether a tool was seen in a list since the start (Q7).
func (b *Book) Known(tool string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[tool]
}

// Version changes whenever Held may say something else.
func (b *Book) Version() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strconv.Itoa(b.edition)
}

// All returns every pin that has not gone, by name.
func (b *Book) All(ctx context.Context) ([]Pin, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	var list []Pin
	for _, pin := range b.pins {
		if pin.Gone.IsZero() {
			list = append(list, *pin)
		}
	}
	slices.SortFunc(list, func(x, y Pin) int {
		if x.Tool < y.Tool {
			return -1
		}
		return 1
	})
	return list, nil
}

// Release approves what is held, if it is still what the administrator saw (Q4).
func (b *Book) Release(ctx context.Context, tool, hash, by string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return fmt.Errorf("read the pins: %w", err)
	}
	pin := b.pins[tool]
	switch {
	case pin == nil:
		return ErrNoTool
	case pin.HeldHash == "" && pin.Hash == hash:
		return nil // released already
	case pin.HeldHash != hash || hash == "":
		return ErrStale
	}
	next := *pin
	next.Hash, next.Approved, next.HeldHash, next.Held, next.Since = pin.HeldHash, pin.Held, "", nil, b.now()
	if err := b.Store.PutPins(ctx, []Pin{next}); err != nil {
		return fmt.Errorf("write the pin: %w", err)
	}
	b.pins[tool] = &next
	b.lists = nil
	b.Log.WarnContext(ctx, "tool.released", "server", b.Server, "tool", clip(tool), "approved", pin.Hash, "released", hash, "by", by)
	b.told()
	return nil
}
