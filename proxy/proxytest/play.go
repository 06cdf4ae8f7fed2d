package proxytest

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

func (b *Backend) serve(w http.ResponseWriter, r *http.Request) {
	s := b.next(r)
	if !b.wait(r, s) {
		return
	}
	if s.ResetBeforeHeaders {
		reset(w)
		return
	}
	for name, value := range s.Header {
		w.Header().Set(name, value)
	}
	if s.CloseEarly {
		w.Header().Set("Content-Length", strconv.Itoa(s.size()+1))
	}
	status := s.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	b.body(w, r, s)
}

// wait plays what comes before the headers; false: the client has gone.
func (b *Backend) wait(r *http.Request, s Step) bool {
	if s.Hang {
		b.silence(r)
		return false
	}
	if s.Gate != nil {
		select {
		case <-s.Gate:
		case <-r.Context().Done():
			b.left()
			return false
		case <-b.closed:
			return false
		}
	}
	return b.pause(r, s.Delay)
}

func (b *Backend) body(w http.ResponseWriter, r *http.Request, s Step) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	_, _ = w.Write([]byte(s.Body))
	if len(s.Chunks) > 0 || s.Stall || s.ResetMidBody || s.CloseEarly {
		flush()
	}
	for _, chunk := range s.Chunks {
		if !b.pause(r, s.Drip) {
			return
		}
		_, _ = w.Write([]byte(chunk))
		flush()
	}
	switch {
	case s.Stall:
		b.silence(r)
	case s.ResetMidBody, s.CloseEarly:
		reset(w)
	}
}

func (b *Backend) silence(r *http.Request) {
	select {
	case <-r.Context().Done():
		b.left()
	case <-b.closed:
	}
}

func (b *Backend) pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		b.left()
		return false
	case <-b.closed:
		return false
	}
}

func (b *Backend) left() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone++
	b.changed.Broadcast()
}

func (s Step) size() int {
	n := len(s.Body)
	for _, c := range s.Chunks {
		n += len(c)
	}
	return n
}

// reset ends the connection at once, with an RST where the network knows such a thing.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2, or headers are out: the server resets the stream
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
