//go:build unix

package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// spoken is a dialer that returns a connection on which something has come, and after the runtime has noticed.
func spoken(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err == nil
	})
	return nc, err
}

// A busy server answers whoever connects, and closes its half, before it has read anything.
func TestAServerMayAnswerBeforeItIsAsked(t *testing.T) {
	for name, text := range map[string]string{"an answer": "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			url := scripted(t, func(_ int, nc net.Conn, r *bufio.Reader) {
				_, _ = io.WriteString(nc, text)
				_ = nc.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, nc) // until we are gone
			})
			tr := newTransport(t)
			tr.DialContext = spoken
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // only a fault waits for it
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("question"))
			resp, err := tr.RoundTrip(req)
			if text == "" {
				if !errors.Is(err, errClosed) {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 503 || string(body) != "busy" {
				t.Errorf("%d %q, %v", resp.StatusCode, body, err)
			}
		})
	}
}

// chaos is a server that answers each request with the text it brought, or breaks off, or says more than it was asked.
type chaos struct {
	mu   sync.Mutex
	seen map[string]int // how often each request came
}

func (c *chaos) serve(seed uint64, nc net.Conn, r *bufio.Reader) {
	random := rand.New(rand.NewPCG(seed, 1))
	const evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
	reset := func() { _ = nc.(*net.TCPConn).SetLinger(0) }
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		name := req.Header.Get("Name")
		c.mu.Lock()
		c.seen[name]++
		c.mu.Unlock()
		whole := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		switch random.IntN(12) {
		case 0: // more than one answer
			whole += evil
		case 2: // a body where there is none
			whole = fmt.Sprintf("HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n%s", len(evil), evil)
		case 3: // cut anywhere
			_, _ = io.WriteString(nc, whole[:random.IntN(len(whole))])
			return
		case 4:
			_, _ = io.WriteString(nc, whole[:random.IntN(len(whole))])
			reset()
			return
		case 5: // answered, and closed
			_, _ = io.WriteString(nc, whole)
			if random.IntN(2) == 0 {
				reset()
			}
			return
		case 6:
			whole = fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		case 7:
			whole = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + whole
		case 8: // in pieces
			for range 3 {
				cut := random.IntN(len(whole))
				_, _ = io.WriteString(nc, whole[:cut])
				whole = whole[cut:]
				runtime.Gosched()
			}
		case 9: // after its end nothing counts
			whole = fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s", len(body), body, evil)
		}
		if _, err := io.WriteString(nc, whole); err != nil {
			return
		}
	}
}

// Whatever servers do, nobody gets another one's answer, and what may change something is sent once.
func TestHostileServersMixUpNothing(t *testing.T) {
	c := &chaos{seen: map[string]int{}}
	url := scripted(t, func(n int, nc net.Conn, r *bufio.Reader) { c.serve(uint64(n), nc, r) })
	tr := newTransport(t)
	var wait sync.WaitGroup
	var good, bad atomic.Int64
	for worker := range 8 {
		wait.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 2))
			for i := range 300 {
				name := fmt.Sprintf("%d-%d", worker, i)
				body := strings.Repeat(name+" ", 1+random.IntN(2000))
				ctx, cancel := context.WithCancel(t.Context())
				req, _ := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
				req.Header.Set("Name", name)
				if random.IntN(10) == 0 {
					go cancel()
				}
				resp, err := tr.RoundTrip(req)
				if err == nil {
					text, failed := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if err = failed; !strings.HasPrefix(body, string(text)) || err == nil && resp.StatusCode == 200 && string(text) != body {
						t.Errorf("request %s got %.80q, %v", name, text, err)
					}
				}
				cancel()
				c.mu.Lock()
				times := c.seen[name]
				c.mu.Unlock()
				if times > 1 || err == nil && times != 1 {
					t.Errorf("request %s came %d times, %v", name, times, err)
				}
				if err == nil {
					good.Add(1)
				} else {
					bad.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if good.Load() == 0 || bad.Load() == 0 {
		t.Errorf("%d answers, %d errors", good.Load(), bad.Load())
	}
}
