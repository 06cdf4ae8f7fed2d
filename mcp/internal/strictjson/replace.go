package strictjson

import "encoding/json"

// WithText returns the message with another string in place of the value at s: that one value's bytes change and no other
// (mcp.md C3).
func (m *Message) WithText(s Span, text string) *Message {
	value, _ := json.Marshal(text) // what is no UTF-8 becomes U+FFFD; nothing else can go wrong
	return m.WithValue(s, value)
}

// WithValue returns the message with another scalar in place of the one at s. It is what Decode would make of the new bytes.
func (m *Message) WithValue(s Span, value []byte) *Message {
	body := make([]byte, 0, len(m.Body)+len(value)-(s.End-s.Start))
	body = append(append(append(body, m.Body[:s.Start]...), value...), m.Body[s.End:]...)
	made := *m
	made.Body = body
	by := len(value) - (s.End - s.Start)
	for _, span := range made.spans() {
		if span.Start >= s.End {
			span.Start += by
		}
		if span.End >= s.End {
			span.End += by
		}
	}
	return &made
}

// spans are all places that a message knows of itself.
func (m *Message) spans() [27]*Span {
	return [...]*Span{
		&m.ID, &m.Params, &m.Result, &m.Error,
		&m.Name, &m.URI, &m.Arguments, &m.Cursor, &m.RequestState, &m.InputResponses, &m.Meta,
		&m.TaskID, &m.Task, &m.Level, &m.RequestID, &m.ProtocolVersionParam, &m.CapabilitiesParam, &m.ClientInfoParam, &m.Notifications,
		&m.ProtocolVersion, &m.ClientCapabilities, &m.ClientInfo, &m.LogLevel, &m.ProgressToken, &m.SubscriptionID,
		&m.version, &m.method,
	}
}
