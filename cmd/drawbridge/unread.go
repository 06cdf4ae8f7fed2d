package main

import (
	"io"
	"net/http"
	"time"
)

const (
	maxUnread  = 32 << 20        // bytes of a refused body that are taken and thrown away
	unreadTime = 5 * time.Second // and for how long
)

// readOut takes what a handler left of a body, after its answer has gone out. Many clients send their whole body before
// they look at the answer: a connection that is closed under them is a broken pipe, and the 413 that says why is lost.
// What is longer or slower is closed all the same. HTTP/2 ends one stream without harm to the others and needs none of it.
func readOut(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.ContentLength == 0 || whole(r.Body) || r.Header.Get("Expect") != "" {
			next.ServeHTTP(w, r)
			return
		}
		body := &keptBody{ReadCloser: r.Body}
		r.Body = body
		next.ServeHTTP(w, r)
		if body.ended {
			return
		}
		control := http.NewResponseController(w)
		if control.SetReadDeadline(time.Now().Add(unreadTime)) != nil || control.Flush() != nil {
			return // taken over, as WebSockets are
		}
		if _, err := io.CopyN(io.Discard, body, maxUnread); err == nil {
			_ = control.SetReadDeadline(time.Unix(1, 0)) // there is more, for which the server shall not wait
		}
	})
}

// whole reports a body that has come with its head, as most do: nothing of it can be slow or be left on the way.
func whole(body io.Reader) bool {
	b, ok := body.(interface{ Whole() bool })
	return ok && b.Whole()
}

// keptBody stays readable after handlers have closed it; the server closes the real one.
type keptBody struct {
	io.ReadCloser
	ended bool
}

func (b *keptBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil { // io.EOF, or it came too slowly: there is nothing to wait for
		b.ended = true
	}
	return n, err
}

func (b *keptBody) Close() error { return nil }
