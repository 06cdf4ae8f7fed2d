package edge

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
)

// errNobodyToAsk is the end of a question whose session is over.
var errNobodyToAsk = errors.New("the session ended before the client answered")

// questions are requests of servers that clients have not answered yet. Ids are ours and mean something only inside their
// session, so that nobody answers another's (E10).
type questions struct {
	mu   sync.Mutex
	last uint64
	open map[callKey]chan *Message
}

func (q *questions) init() { q.open = map[callKey]chan *Message{} }

// add registers a question of the session; the channel gets the answer, or is closed when the session ends.
func (q *questions) add(session string) (callKey, <-chan *Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	key := callKey{session, `"drawbridge-` + strconv.FormatUint(q.last, 10)}
	answer := make(chan *Message, 1)
	q.open[key] = answer
	return key, answer
}

func (q *questions) remove(key callKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, key)
}

// answer hands a client's response to who waits for it. The first one counts; one that nobody asked for is dropped.
func (q *questions) answer(session string, m *Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := callKey{session, callID(m, m.ID)}
	if waiting, ok := q.open[key]; ok {
		delete(q.open, key)
		waiting <- m
	}
}

func (q *questions) endSession(session string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, waiting := range q.open {
		if key.session == session {
			delete(q.open, key)
			close(waiting)
		}
	}
}

// asks returns the way to ask the client of this call, or nil: modern clients are asked by results (SEP-2322), and where
// there is no stream there is no way to ask.
func (a *reply) asks() func(context.Context, string, json.RawMessage) (*Message, error) {
	if a.x.modern || a.x.jsonOnly || a.x.session == "" {
		return nil
	}
	return a.ask
}

// ask sends a request on the stream of the call, which it opens, and waits for the answer.
func (a *reply) ask(ctx context.Context, method string, params json.RawMessage) (*Message, error) {
	key, answered := a.x.questions.add(a.x.session)
	defer a.x.questions.remove(key)
	text, _ := json.Marshal(method)
	b := append([]byte(`{"jsonrpc":"2.0","id":`), key.id...)
	b = append(append(b, `","method":`...), text...)
	if params != nil {
		b = append(append(b, `,"params":`...), params...)
	}
	a.say(event{kind: answerEvent, data: append(b, '}')})
	select {
	case m, ok := <-answered:
		if !ok {
			return nil, errNobodyToAsk
		}
		return m, nil
	case <-ctx.Done():
		if a.ctx.Err() == nil { // whoever asked does not want to know any more, while the call goes on
			a.say(event{kind: answerEvent, data: append(append([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`), key.id...), `"}}`...)})
		}
		return nil, context.Cause(ctx)
	case <-a.ctx.Done():
		return nil, context.Cause(a.ctx)
	}
}
