package crossing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/splice"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/mcp/upstream"
)

// discoverTTL is how long clients may keep what the server says of itself (§11.1).
const discoverTTL = 60_000 // milliseconds

// era chooses the era in which the upstream is spoken to: the client's own where it can be.
func (s *Server) era(ctx context.Context, r *edge.Request) (modern bool, err error) {
	v, err := s.cfg.Leg.Speaks(ctx, behalf(r))
	if err != nil {
		return false, err
	}
	if r.Modern {
		return v.Modern, nil
	}
	return !v.Legacy, nil
}

func (s *Server) info(ctx context.Context, r *edge.Request) (info *upstream.Info, err error) {
	for range 2 { // an upstream that refuses an era was asked nothing yet: once more in the other
		var modern bool
		if modern, err = s.era(ctx, r); err != nil {
			return nil, err
		}
		if info, err = s.cfg.Leg.Info(ctx, behalf(r), modern); !errors.Is(err, upstream.ErrEra) {
			return info, err
		}
	}
	return nil, noEra(err)
}

// initialize answers the handshake of a legacy client in the revision it asked for (§11.2).
func (s *Server) initialize(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	info, err := s.info(ctx, r)
	if err != nil {
		return nil, err
	}
	capabilities := info.Capabilities
	if info.Modern { // log messages come with the requests that asked for them; a legacy client asks once
		capabilities = with(capabilities, map[string][]byte{"logging": []byte("{}")})
	}
	members := map[string][]byte{
		"protocolVersion": quote(r.Revision), "capabilities": capabilities, "serverInfo": s.serverInfo(info),
	}
	if text := s.instructions(info); text != "" {
		members["instructions"] = quote(text)
	}
	return with(json.RawMessage("{}"), members), nil
}

// discover tells a modern client of what a legacy upstream said in its handshake, or a modern one of itself (§11.1).
func (s *Server) discover(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	info, err := s.info(ctx, r)
	if err != nil {
		return nil, err
	}
	versions, _ := json.Marshal(edge.Supported())
	members := map[string][]byte{
		"supportedVersions": versions, "capabilities": info.Capabilities, "resultType": []byte(`"complete"`),
		"ttlMs": fmt.Append(nil, discoverTTL), "cacheScope": []byte(`"private"`), "_meta": s.serverMeta(info),
	}
	if text := s.instructions(info); text != "" {
		members["instructions"] = quote(text)
	}
	return with(json.RawMessage("{}"), members), nil
}

func (s *Server) instructions(info *upstream.Info) string {
	if s.cfg.Instructions != "" {
		return s.cfg.Instructions
	}
	return info.Instructions
}

// serverInfo is the upstream's name for itself, or ours for it.
func (s *Server) serverInfo(info *upstream.Info) []byte {
	if len(info.ServerInfo) > 0 {
		return info.ServerInfo
	}
	text, _ := json.Marshal(map[string]string{"name": s.cfg.Name, "version": "0.0.0"})
	return text
}

func (s *Server) serverMeta(info *upstream.Info) []byte {
	return append(append([]byte(`{"io.modelcontextprotocol/serverInfo":`), s.serverInfo(info)...), '}')
}

// levels of log messages, in both eras.
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// setLevel keeps the level with the session; it goes along with what is asked from now on (§11.2).
func (s *Server) setLevel(r *edge.Request) (json.RawMessage, error) {
	level, ok := r.Message.Text(r.Message.Level)
	if !ok || !slices.Contains(levels, level) {
		return nil, edge.InvalidParams("params.level must be one of debug, info, notice, warning, error, critical, alert, emergency")
	}
	r.SetLogLevel(level)
	return json.RawMessage("{}"), nil
}

// with returns an object with members set; other bytes stay. What is no object is returned as it is.
func with(object json.RawMessage, members map[string][]byte) json.RawMessage {
	m, s, ok := opened(object)
	if !ok {
		return object
	}
	whole := splice.Apply(m.Body, splice.Members(m, s, members))
	return whole[s.Start : len(whole)-1]
}

// opened makes a result a message, so that its parts can be found.
func opened(result []byte) (m *strictjson.Message, s strictjson.Span, ok bool) {
	b := append(append([]byte(`{"jsonrpc":"2.0","id":0,"result":`), result...), '}')
	m, err := strictjson.Decode(b, strictjson.Limits{Upstream: true, Depth: 512, Members: 10_000_000})
	if err != nil || !m.IsObject(m.Result) {
		return nil, strictjson.Span{}, false
	}
	return m, m.Result, true
}

func quote(text string) []byte {
	b, _ := json.Marshal(text) // a string always has a JSON form
	return b
}
