package strictjson

import "unicode/utf8"

const (
	maxMethod = 128 // characters
	maxID     = 256 // bytes
)

// classify checks the envelope of a message that is JSON (J6, J7) and says what it is.
func (d *decoder) classify() error {
	m := d.msg
	if !m.Says(m.version, "2.0") {
		return d.invalid(`jsonrpc must be "2.0"`)
	}
	parts := 0
	for _, s := range []Span{m.method, m.Result, m.Error} {
		if s.Present() {
			parts++
		}
	}
	if parts != 1 {
		return d.invalid("a message has exactly one of method, result and error")
	}
	if err := d.checkID(); err != nil {
		return err
	}
	if !m.method.Present() {
		m.Kind = Response
		if m.Error.Present() && !m.IsObject(m.Error) {
			return d.invalid("error must be an object")
		}
		if m.Params.Present() {
			return d.invalid("an answer has no params")
		}
		if !m.ID.Present() && !(d.limits.Upstream && m.Error.Present()) { // else the server could not read whose message it was
			return d.invalid("an answer has an id")
		}
		return nil
	}
	return d.checkRequest()
}

func (d *decoder) checkRequest() error {
	m := d.msg
	method, ok := d.methodText()
	if !ok || method == "" || utf8.RuneCountInString(method) > maxMethod {
		return d.invalid("method must be a string of 1 to %d characters", maxMethod)
	}
	m.Method = method
	m.Kind = Request
	if !m.ID.Present() {
		m.Kind = Notification
	}
	if m.Params.Present() && !m.IsObject(m.Params) {
		return &Error{Code: CodeParams, Msg: "params must be an object", At: m.Params.Start} // J7
	}
	return nil
}

// methodText is the decoded method; that of nearly every request lies in memory already.
func (d *decoder) methodText() (method string, ok bool) {
	const usual = "tools/call"
	if d.msg.Says(d.msg.method, usual) {
		return usual, true
	}
	return d.msg.Text(d.msg.method)
}

// checkID keeps an id to what comes back as it was sent: a short string, or an integer of any size.
func (d *decoder) checkID() error {
	m := d.msg
	if !m.ID.Present() {
		return nil
	}
	raw := m.Bytes(m.ID)
	switch c := raw[0]; {
	case c == '"':
		if text, _ := m.Text(m.ID); len(text) > maxID {
			return d.invalid("id must be at most %d bytes", maxID)
		}
		return nil
	case c == '-' || c >= '0' && c <= '9':
		for _, c := range raw {
			if c == '.' || c == 'e' || c == 'E' {
				return d.invalid("id must be an integer or a string")
			}
		}
		if len(raw) > maxID {
			return d.invalid("id must be at most %d bytes", maxID)
		}
		return nil
	case c == 'n' && d.limits.Upstream && m.Error.Present():
		return nil // the server could not read whose message it was
	default:
		return d.invalid("id must be an integer or a string")
	}
}
