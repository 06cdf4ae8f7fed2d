package strictjson

// Member is one member of an object: its key as decoded, and where key and value stand.
type Member struct {
	Key        string
	KeyAt, Val Span
}

// Members returns the members of the object at s. The message was decoded, so nothing is checked again.
func (m *Message) Members(s Span) []Member {
	if !m.IsObject(s) {
		return nil
	}
	var list []Member
	d := decoder{buf: m.Body[:s.End], pos: s.Start + 1}
	for d.space(); d.peek() == '"'; d.space() {
		var one Member
		one.KeyAt = d.pass()
		one.Key, _ = m.Text(one.KeyAt)
		d.space()
		d.pos++ // the colon
		one.Val = d.pass()
		list = append(list, one)
		if d.space(); d.peek() == ',' {
			d.pos++
		}
	}
	return list
}

// Member returns the value of one member of the object at s; absent when there is none.
func (m *Message) Member(s Span, key string) Span {
	for _, one := range m.Members(s) {
		if one.Key == key {
			return one.Val
		}
	}
	return Span{}
}

// Elements returns where the elements of the array at s stand.
func (m *Message) Elements(s Span) []Span {
	if !s.Present() || m.Body[s.Start] != '[' {
		return nil
	}
	var list []Span
	d := decoder{buf: m.Body[:s.End], pos: s.Start + 1}
	for d.space(); d.peek() != ']' && d.pos < len(d.buf); d.space() {
		list = append(list, d.pass())
		if d.space(); d.peek() == ',' {
			d.pos++
		}
	}
	return list
}

// pass steps over one value that is known to be good and returns where it stands.
func (d *decoder) pass() Span {
	d.space()
	start, depth := d.pos, 0
	for d.pos < len(d.buf) {
		switch c := d.buf[d.pos]; c {
		case '"':
			_, _, _ = d.text()
		case '{', '[':
			depth++
			d.pos++
		case '}', ']':
			depth--
			d.pos++
		case ',', ':', ' ', '\n', '\r', '\t':
			d.pos++
			continue
		default:
			_, _ = d.scalar(c)
		}
		if depth == 0 {
			return Span{start, d.pos}
		}
	}
	return Span{start, d.pos}
}
