package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestStreamsAreReadToTheAnswer(t *testing.T) {
	for _, c := range []struct{ name, stream, want string }{
		{"ping and progress before it", ": ping\n\nevent: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n" +
			"event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":1}}\n\n", `{"a":1}`},
		{"carriage returns", "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\r\n\r\n", `{}`},
		{"data in two lines", "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":7,\"result\":{}}\n\n", `{}`},
		{"another id first", "data: {\"id\":6,\"result\":{}}\n\ndata: {\"id\":7,\"result\":{\"b\":1}}\n\n", `{"b":1}`},
		{"no answer", "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n", ""},
		{"cut short", "data: {\"jsonrpc\":\"2.0\",\"id\":7,", ""},
	} {
		got, err := fromStream(strings.NewReader(c.stream), 200, 7)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %s, %v", c.name, got, err)
		}
	}
}

func TestSomethingElseThanAServerIsNamed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>secret host</html>")
	}))
	defer s.Close()
	_, err := Connect(t.Context(), Config{URL: s.URL, HTTP: s.Client()})
	var rpc *RPCError
	if !errors.As(err, &rpc) || rpc.Status != http.StatusBadGateway || strings.Contains(err.Error(), "secret") {
		t.Errorf("Connect = %v", err)
	}
}
