package combined

import (
	"context"

	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// Tools returns what tools/list shows the caller of r, in its order and without pages: for search and pages, which show
// what the list would (A4).
func (s *Server) Tools(ctx context.Context, r *edge.Request) ([]Definition, error) {
	v, _, err := s.viewOf(ctx, r, toolsList)
	if err != nil {
		return nil, err
	}
	tools := make([]Definition, len(v.items))
	for i, one := range v.items {
		as, _ := prefixOf(one.public)
		tools[i] = Definition{Name: one.public, Source: as, Wire: one.wire}
	}
	return tools, nil
}
