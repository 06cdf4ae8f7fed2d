package pins

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
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

	twins []json.RawMessage // other definitions of the same name in one list
}

// Book holds one server's pins. Safe for concurrent use; it lives as long as the process.
type Book struct {
	Server string
	Store  Store
	Log    *slog.Logger
	Now    func() time.Time
	// Changed is told when a tool is held or free again; nil: nobody.
	Changed func()
	// Others returns the names of other servers' tools, which texts of this one's have no reason to speak of (Q8). nil: none.
	Others func() []string

	mu      sync.Mutex
	rule    Rule
	pins    map[string]*Pin            // nil: not read yet
	known   map[listOf]map[string]bool // seen in a list since the start (Q7)
	whole   map[string]bool            // prefixes of which a whole list was seen since the start
	place   map[string]int             // of a tool in the last whole list of its source
	lists   map[[32]byte]bool          // that were judged, and would be judged the same again
	edition int
	changed map[string]int             // edition in which a tool was held, freed or changed last
	astray  map[string]map[listOf]bool // lists in which a tool is another than the one that was approved
	forgot  time.Time                  // when a pin had to go before its time; zero: none had to
}

// Bounds of what is kept of tools that disappeared, so that an upstream with ever new names fills nothing. Where pins had to go
// before their time, what looks new may be what was approved as another: it is held (Q3).
const (
	maxGone      = 10_000
	maxGoneBytes = 64 << 20
)

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

// listOf names a list: of a source, as clients see it that can be asked the same questions.
type listOf struct{ prefix, offers string }

// See compares a list with the pins (Q1 to Q7). The names of one source of a combined server begin with prefix; its first
// list is taken whole. whole says that the list is all there is of the source: what is missing then has gone. A list whose
// bytes were seen before costs a hash of them (Q9).
func (b *Book) See(ctx context.Context, prefix string, tools []Definition, whole bool) error {
	_, err := b.SeeAs(ctx, prefix, "", tools, whole)
	return err
}

// SeeAs is See for an upstream that may show another list to other clients: to those that cannot be asked what a tool asks
// it may not show the tool. What clients with other offers were shown has not gone for being missing here, and a tool that is
// another one to them is not what was approved for being so here.
//
// withheld are the tools that this list must not show. It is as of this very look: what Held says of a name a moment later
// may be said of what others were shown under it.
func (b *Book) SeeAs(ctx context.Context, prefix, offers string, tools []Definition, whole bool) (withheld map[string]bool, err error) {
	of := listOf{prefix, offers}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q %v\n", prefix, offers, whole)
	for _, t := range tools {
		sum.Write([]byte(strconv.Itoa(len(t.Wire)) + ":"))
		sum.Write(t.Wire)
	}
	key := [32]byte(sum.Sum(nil))
	if withheld, ok := b.judgedBefore(key, tools); ok {
		return withheld, nil
	}
	others := b.others() // of books with locks of their own
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("read the pins: %w", err)
	}
	own := make(map[string]bool, len(tools))
	for _, t := range tools {
		own[t.Name] = true
	}
	others = slices.DeleteFunc(others, func(name string) bool { return own[name] || b.pins[name] != nil }) // servers may have tools of one name
	w := &change{b: b, listOf: of, first: !b.began(prefix), others: others}
	before := b.copied()
	for _, t := range merged(tools) {
		w.judge(ctx, t)
	}
	if whole {
		w.gone(tools)
	}
	if err := w.write(ctx); err != nil {
		b.fallBack(before, w.visible)
		return nil, fmt.Errorf("write the pins: %w", err)
	}
	w.know(tools, whole)
	b.judged(key, len(w.put) > 0 || w.turned)
	return b.heldOf(tools), nil
}

// heldOf are those of tools that are held. The lock is held.
func (b *Book) heldOf(tools []Definition) (held map[string]bool) {
	for _, t := range tools {
		if pin := b.pins[t.Name]; pin != nil && pin.HeldHash != "" {
			if held == nil {
				held = map[string]bool{}
			}
			held[t.Name] = true
		}
	}
	return held
}

// Withheld are those of tools that a list must not show which was kept since it was seen: what is held by now, and what is not
// what is approved by now.
func (b *Book) Withheld(tools []Definition) map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	withheld := map[string]bool{}
	for _, t := range merged(tools) {
		if pin := b.pins[t.Name]; pin != nil {
			withheld[t.Name] = pin.HeldHash != "" || b.rule.Changed != "allow" && hashOf(t.text()) != pin.Hash
		}
	}
	return withheld
}

// copied are the pins as they are, for a list that cannot be written down.
func (b *Book) copied() map[string]*Pin {
	list := make(map[string]*Pin, len(b.pins))
	for name, pin := range b.pins {
		same := *pin
		list[name] = &same
	}
	return list
}

// fallBack takes back what was not written: nothing of it is approved or known. What it held stays held.
func (b *Book) fallBack(before map[string]*Pin, visible []string) {
	for _, name := range visible {
		now := b.pins[name]
		if now == nil || now.HeldHash == "" {
			continue
		}
		if was := before[name]; was != nil {
			was.HeldHash, was.Held, was.Since = now.HeldHash, now.Held, now.Since
		} else {
			before[name] = now
		}
	}
	b.pins = before
	b.told(visible...)
}

// judgedBefore reports whether the list changes nothing. What of it is approved is so as it stands there.
func (b *Book) judgedBefore(key [32]byte, tools []Definition) (withheld map[string]bool, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lists[key] {
		return nil, false
	}
	return b.heldOf(tools), true
}

func (b *Book) others() []string {
	if b.Others == nil {
		return nil
	}
	return b.Others()
}

// judged notes that a list changes nothing any more. Once a pin changed, what other lists change has to be looked at again:
// the one before, too (Q5).
func (b *Book) judged(key [32]byte, changed bool) {
	if b.lists == nil || changed || len(b.lists) > 64 {
		b.lists = map[[32]byte]bool{}
	}
	b.lists[key] = true
}

// began reports whether the source has had its first list, which is taken whole (Q6); an empty one is one, too.
func (b *Book) began(prefix string) bool {
	for name := range b.pins {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return b.whole[prefix]
}

// Complete reports whether a whole list of the source was seen since the start. Until then one page of it must not be shown
// to See: the rest of the first list would look as if it had been added.
func (b *Book) Complete(prefix string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole[prefix]
}

// load reads the pins once.
func (b *Book) load(ctx context.Context) error {
	if b.known == nil {
		b.known, b.whole, b.place = map[listOf]map[string]bool{}, map[string]bool{}, map[string]int{}
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

// told notes that what is held of these tools became other, and tells who wants to know, behind the lock.
func (b *Book) told(tools ...string) {
	b.edition++
	if b.changed == nil {
		b.changed = map[string]int{}
	}
	for _, t := range tools {
		b.changed[t] = b.edition
	}
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
		return fmt.Sprintf("tool %q is new and was not approved yet; an administrator must release it", mcp.Clip(tool)), true
	}
	return fmt.Sprintf("tool %q changed since it was approved; an administrator must release it", mcp.Clip(tool)), true
}

// Known reports whether a tool was seen in a list since the start (Q7).
func (b *Book) Known(tool string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, seen := range b.known {
		if seen[tool] {
			return true
		}
	}
	return false
}

// Editions changes whenever Held may say something else of a tool that may allows: what somebody does not see is no news to
// them (L3).
func (b *Book) Editions(may func(tool string) bool) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var text strings.Builder
	for _, tool := range slices.Sorted(maps.Keys(b.changed)) {
		if may(tool) {
			fmt.Fprintf(&text, "%q %d\n", tool, b.changed[tool])
		}
	}
	return text.String()
}

// Version changes whenever Held may say something else.
func (b *Book) Version() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strconv.Itoa(b.edition)
}

// All returns every pin that has not gone: in the order in which its source lists them (T1), by name where that is not known.
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
		i, seen := b.place[x.Tool]
		j, other := b.place[y.Tool]
		if seen != other {
			if seen {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(i, j), strings.Compare(x.Tool, y.Tool))
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
	delete(b.astray, tool) // who is shown another one is yet to be seen
	b.Log.WarnContext(ctx, "tool.released", "server", b.Server, "tool", mcp.Clip(tool), "approved", pin.Hash, "released", hash, "by", by)
	b.told(tool)
	return nil
}
