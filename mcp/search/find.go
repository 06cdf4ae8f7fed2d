package search

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/mcp/internal/strictjson"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// find is find_tools.
func (s *Server) find(ctx context.Context, r *edge.Request, v *view) (json.RawMessage, error) {
	identity.RequestFrom(ctx).Note(slog.String("tool", findTools))
	q, fault := readQuery(r.Message)
	if fault != "" {
		return s.answer(ctx, r, v, fault, nil, true), nil
	}
	hits := v.index.Search(q.query, q.limit, func(name string) bool {
		t := v.tools[v.byName[name]]
		return (q.tag == "" || slices.Contains(t.Tags, q.tag)) && (q.source == "" || t.Source == q.source)
	})
	type found struct {
		Name        string   `json:"name"`
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Arguments   []string `json:"arguments"`
		ReadOnly    bool     `json:"read_only"`
		Score       float64  `json:"score"`
	}
	list := make([]found, len(hits))
	var lines strings.Builder
	for i, h := range hits {
		f := v.facts[v.byName[h.Tool.Name]]
		list[i] = found{h.Tool.Name, f.title, short(f.description), append([]string{}, f.arguments...), f.readOnly, math.Round(h.Score*100) / 100}
		fmt.Fprintf(&lines, "%s(%s): %s\n", list[i].Name, short(strings.Join(list[i].Arguments, ", ")), list[i].Description)
	}
	structured, err := json.Marshal(map[string]any{"tools": list, "total": len(v.tools)})
	if err != nil {
		return nil, err
	}
	text := strings.TrimSuffix(lines.String(), "\n")
	if len(hits) == 0 {
		text = v.nothing()
	}
	return s.answer(ctx, r, v, text, structured, false), nil
}

// nothing is the text of a search without hits (F5).
func (v *view) nothing() string {
	var names []string
	for _, t := range v.tools[:min(5, len(v.tools))] {
		names = append(names, t.Name)
	}
	return fmt.Sprintf("no tool matches; there are %d tools, for example: %s", len(v.tools), strings.Join(names, ", "))
}

type query struct {
	query, tag, source string
	limit              int
}

// readQuery reads the arguments of find_tools; fault names the argument that is wrong.
func readQuery(m *strictjson.Message) (q query, fault string) {
	q.limit = defaultLimit
	for _, one := range m.Members(m.Arguments) {
		text, isText := m.Text(one.Val)
		if string(m.Bytes(one.Val)) == "null" { // models write null for what they leave out
			continue
		}
		switch one.Key {
		case "query":
			if !isText || len([]rune(text)) > maxQuery {
				return q, fmt.Sprintf("argument \"query\" must be a text of at most %d characters", maxQuery)
			}
			q.query = text
		case "limit":
			n, err := strconv.ParseFloat(string(m.Bytes(one.Val)), 64) // 8.0 is an integer (JSON Schema)
			if err != nil || n < 1 || n > maxLimit || n != math.Trunc(n) {
				return q, fmt.Sprintf("argument \"limit\" must be a number from 1 to %d", maxLimit)
			}
			q.limit = int(n)
		case "tag", "source":
			if !isText {
				return q, fmt.Sprintf("argument %q must be a text", one.Key)
			}
			if one.Key == "tag" {
				q.tag = text
			} else {
				q.source = text
			}
		default:
			return q, fmt.Sprintf("there is no argument %q; the arguments are query, limit, tag, source", mcp.Clip(one.Key))
		}
	}
	if strings.TrimSpace(q.query) == "" {
		return q, `argument "query" is required`
	}
	return q, ""
}

// describe is describe_tool. A name that is not the caller's is one that does not exist (F1).
func (s *Server) describe(ctx context.Context, r *edge.Request, v *view) (json.RawMessage, error) {
	m := r.Message
	name, ok := m.Text(m.Member(m.Arguments, "name"))
	if !ok {
		return s.answer(ctx, r, v, `argument "name" is required`, nil, true), nil
	}
	i, ok := v.byName[name]
	if !ok {
		return nil, edge.InvalidParams("unknown tool: %s", mcp.Clip(name))
	}
	identity.RequestFrom(ctx).Note(slog.String("tool", describeTool), slog.String("described", name))
	d, ok := opened(v.tools[i].Wire)
	if !ok {
		return nil, edge.InvalidParams("unknown tool: %s", mcp.Clip(name))
	}
	quoted, _ := json.Marshal(name)
	structured := append([]byte(`{"name":`), quoted...)
	for _, key := range []string{"description", "inputSchema", "outputSchema", "annotations"} {
		value := d.Bytes(d.Member(d.Result, key))
		if value == nil && key == "description" {
			value = []byte(`""`)
		}
		if value != nil {
			structured = append(append(structured, `,"`+key+`":`...), value...)
		}
	}
	structured = append(structured, '}')
	return s.answer(ctx, r, v, string(structured), structured, false), nil
}
