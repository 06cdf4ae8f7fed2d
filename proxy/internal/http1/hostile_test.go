package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
