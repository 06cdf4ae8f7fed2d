package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// refusing serves 413 without reading a byte, behind the limits of the real server.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &Config{}
	cfg.complete()
	s := newServer(cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Body.Close() // as decoders and routers do
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}), nil)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// operations.md §14, §16 row 29: clients that send everything before they read, see the answer and not a broken pipe.
func TestARefusedBodyIsTakenBeforeTheConnectionEnds(t *testing.T) {
	address := refusing(t)
	body := bytes.Repeat([]byte("x"), 10<<20)
	for name, head := range map[string]string{
		"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)),
		"chunked": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n", len(body)),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.WriteString(c, "POST /mcp/orders HTTP/1.1\r\nHost: x\r\n"+head); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(body); err != nil {
				t.Fatalf("the connection ended under the body: %v", err)
			}
			if name == "chunked" {
				_, _ = io.WriteString(c, "\r\n0\r\n\r\n")
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(text), "too large") {
				t.Errorf("answer %d %q %v", resp.StatusCode, text, err)
			}
		})
	}
}

// A body without end is not taken for ever.
func TestAnEndlessRefusedBodyIsCut(t *testing.T) {
	c, err := net.Dial("tcp", refusing(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
	chunk, sent := bytes.Repeat([]byte("x"), 1<<20), 0
	for sent < 200 {
		if _, err := c.Write(chunk); err != nil {
			break
		}
		sent++
	}
	if sent >= 200 {
		t.Errorf("%d MiB were taken", sent)
	}
}
