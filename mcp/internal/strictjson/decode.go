package strictjson

import "sync"

// Limits bound a message (J9). Zero values mean the defaults of the contract.
type Limits struct {
	Depth   int // open objects and arrays, the envelope included; 0: 64
	Members int // members of objects and arrays together; 0: 100,000
	// Upstream reads what a server sent: unknown keys of the envelope are passed, look-alike keys are not looked for, and
	// an error answer may have a null id or none.
	Upstream bool
}

// decoder is one pass over buf. It holds no recursion: open containers lie on stack.
type decoder struct {
	buf     []byte
	pos     int
	limits  Limits
	members int
	stack   []frame
	keys    []key // keys of the open objects, innermost last
	deepest int   // how many frames there were at once, and keys
	most    int
	msg     *Message
}

// position says which of the message's objects a frame is.
type position uint8

const (
	elsewhere position = iota
	envelope
	params
	meta
)

// frame is one open container.
type frame struct {
	array bool
	at    position
	slot  *Span // where the container's range goes when it closes; nil: nowhere
	start int
	first int                 // index of its first key in keys
	count int                 // members so far
	index map[string]struct{} // keys, from the 17th on; nil before
}

// room is where a decoder works: the start of its two stacks, used again by the next one.
type room struct {
	frames [8]frame
	keys   [32]key
}

// rooms is a cache and nothing else: an empty one changes no result.
var rooms = sync.Pool{New: func() any { return new(room) }}

// leave forgets the message, so that no body is held by a room that waits.
func (d *decoder) leave(r *room) {
	clear(r.frames[:min(d.deepest, len(r.frames))])
	clear(r.keys[:min(d.most, len(r.keys))])
	rooms.Put(r)
}

// Decode reads body as one JSON-RPC message. The Message refers to body, which must not change afterwards.
func Decode(body []byte, limits Limits) (*Message, error) {
	if limits.Depth <= 0 {
		limits.Depth = 64
	}
	if limits.Members <= 0 {
		limits.Members = 100_000
	}
	room := rooms.Get().(*room)
	d := decoder{buf: body, limits: limits, msg: &Message{Body: body}, stack: room.frames[:0], keys: room.keys[:0]}
	defer d.leave(room)
	if err := d.open(); err != nil {
		return nil, err
	}
	for len(d.stack) > 0 {
		var err error
		if d.stack[len(d.stack)-1].array {
			err = d.element()
		} else {
			err = d.member()
		}
		if err != nil {
			return nil, err
		}
	}
	d.space()
	if d.pos != len(body) {
		return nil, d.syntax("more after the message") // J1: two documents, NUL
	}
	if err := d.classify(); err != nil {
		return nil, err
	}
	return d.msg, nil
}

// open reads up to the envelope's brace.
func (d *decoder) open() error {
	d.space()
	switch c := d.peek(); c {
	case '{':
		d.push(false, envelope, nil)
		return nil
	case '[': // J8; nothing of it is read, however deep it is
		return d.invalid("batches are not supported; send one message per request")
	default:
		// Anything else is not a message; whether it is JSON decides the code.
		if _, err := d.scalar(c); err != nil {
			return err
		}
		if d.space(); d.pos != len(d.buf) {
			return d.syntax("more after the value")
		}
		return d.invalid("a message must be an object")
	}
}

// member reads one member of the innermost object, or its end.
func (d *decoder) member() error {
	f := &d.stack[len(d.stack)-1]
	d.space()
	if d.peek() == '}' && f.count == 0 {
		return d.pop()
	}
	if f.count > 0 {
		switch d.peek() {
		case '}':
			return d.pop()
		case ',':
			d.pos++
			d.space()
		default:
			return d.syntax("expected , or }")
		}
	}
	slot, at, err := d.key(f)
	if err != nil {
		return err
	}
	d.space()
	if d.peek() != ':' {
		return d.syntax("expected :")
	}
	d.pos++
	if err := d.count(f); err != nil {
		return err
	}
	return d.value(slot, at)
}

// element reads one element of the innermost array, or its end.
func (d *decoder) element() error {
	f := &d.stack[len(d.stack)-1]
	d.space()
	if d.peek() == ']' && f.count == 0 {
		return d.pop()
	}
	if f.count > 0 {
		switch d.peek() {
		case ']':
			return d.pop()
		case ',':
			d.pos++
		default:
			return d.syntax("expected , or ]")
		}
	}
	if err := d.count(f); err != nil {
		return err
	}
	return d.value(nil, elsewhere)
}

func (d *decoder) count(f *frame) error {
	f.count++
	d.members++
	if d.members > d.limits.Members {
		return d.invalid("more than %d members", d.limits.Members) // J9
	}
	return nil
}

// value reads a scalar whole, or opens a container. Only an object is looked into at a known position.
func (d *decoder) value(slot *Span, at position) error {
	d.space()
	start := d.pos
	switch c := d.peek(); c {
	case '{', '[':
		if len(d.stack) >= d.limits.Depth {
			return d.invalid("nested deeper than %d", d.limits.Depth) // J9
		}
		if c == '[' {
			at = elsewhere
		}
		d.push(c == '[', at, slot)
		return nil
	default:
		lone, err := d.scalar(c)
		if err != nil {
			return err
		}
		if slot == nil {
			return nil
		}
		*slot = Span{start, d.pos}
		if lone && (slot == &d.msg.Name || slot == &d.msg.URI || slot == &d.msg.method) {
			return d.invalid("a name must not hold half a surrogate pair") // J10
		}
		return nil
	}
}

func (d *decoder) push(array bool, at position, slot *Span) {
	d.stack = append(d.stack, frame{array: array, at: at, slot: slot, start: d.pos, first: len(d.keys)})
	d.deepest = max(d.deepest, len(d.stack))
	d.pos++
}

func (d *decoder) pop() error {
	f := &d.stack[len(d.stack)-1]
	d.pos++
	if f.slot != nil {
		*f.slot = Span{f.start, d.pos}
	}
	d.keys = d.keys[:f.first]
	d.stack = d.stack[:len(d.stack)-1]
	return nil
}

func (d *decoder) peek() byte {
	if d.pos < len(d.buf) {
		return d.buf[d.pos]
	}
	return 0 // also what a NUL gives: no value begins with it
}

func (d *decoder) space() {
	for d.pos < len(d.buf) {
		switch d.buf[d.pos] {
		case ' ', '\n', '\r', '\t':
			d.pos++
		default:
			return
		}
	}
}
