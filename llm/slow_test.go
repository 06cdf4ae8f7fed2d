package llm

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// endless is a stream without end.
type endless struct{ text string }

func (e endless) Read(p []byte) (int, error) { return copy(p, e.text), nil }

func TestACallerWhoTakesNothingIsCut(t *testing.T) { // ST-3
	g := newGateway(t)
	g.Limits.Stalled = 200 * time.Millisecond
	event := ": " + strings.Repeat("x", 7000) + "\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n"
	g.road.wrap = func(io.ReadCloser) io.ReadCloser { return io.NopCloser(endless{event}) }
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the test is over
	body := askStream("")
	_, err = io.WriteString(conn, "POST /llm/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\nContent-Length: "+
		strconv.Itoa(len(body))+"\r\n\r\n"+body)
	if err != nil {
		t.Fatal(err)
	}
	if o := g.road.outcome(t); o.Ending != proxy.EndClientGone || o.Usage.Output == 0 { // and nothing was ever read
		t.Errorf("outcome = %+v", o)
	}
}
