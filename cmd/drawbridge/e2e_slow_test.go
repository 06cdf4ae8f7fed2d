package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// operations.md §14, body_timeout: a body that never ends gets 408 when its time is over, and its connection ends.
func TestABodyThatNeverComesIsCutInTime(t *testing.T) {
	s := serve(t, fmt.Sprintf(twoServers, "1h", ordersBackend(t).URL)+"limits: {body_timeout: 1s}\n")
	token := s.token(t, "orders", "bob")
	address := strings.TrimPrefix(s.url, "http://")
	for name, head := range map[string]string{
		"token":    "POST /oauth/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n",
		"register": "POST /oauth/register HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n",
		"mcp":      "POST /mcp/orders HTTP/1.1\r\nAccept: */*\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 100\r\n",
		"chunked":  "POST /mcp/orders HTTP/1.1\r\nAccept: */*\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\nTransfer-Encoding: chunked\r\n",
		"no route": "POST /nowhere HTTP/1.1\r\nContent-Length: 100\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			begun := time.Now()
			_ = c.SetDeadline(begun.Add(20 * time.Second))
			if _, err := io.WriteString(c, head+"Host: "+address+"\r\n\r\n{"); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(c)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			if want := http.StatusRequestTimeout; name != "no route" && resp.StatusCode != want {
				t.Errorf("status %d, want %d", resp.StatusCode, want)
			}
			if _, err := in.ReadByte(); err != io.EOF { //nolint:errorlint // the reader's own
				t.Errorf("the connection stays: %v", err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}
