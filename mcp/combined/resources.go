package combined

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
)

// resource passes on what is about one resource: read, subscribe, unsubscribe. Addresses have no prefix, so that the
// message goes as it is (C2).
func (s *Server) resource(ctx context.Context, r *edge.Request) (json.RawMessage, error) {
	uri, ok := r.Message.Text(r.Message.URI)
	if !ok {
		return nil, edge.InvalidParams("params.uri must be a string")
	}
	src, err := s.holderOf(ctx, r, uri)
	if err != nil {
		return nil, err
	}
	return handled(ctx, src, src.request(r))
}

// holderOf returns the source that is asked for a resource: the first in the order of `from` whose list or template has
// the address (C2).
func (s *Server) holderOf(ctx context.Context, r *edge.Request, uri string) (*source, error) {
	holders, err := s.holders(ctx, r, []string{uri})
	if err != nil {
		return nil, err
	}
	if holders[0] == nil {
		return nil, unknownResource(uri, r.Modern)
	}
	return holders[0], nil
}

// holders finds the sources of several addresses; nil stands for one that nobody has.
func (s *Server) holders(ctx context.Context, r *edge.Request, uris []string) ([]*source, error) {
	found, complete := s.lookUp(r, uris)
	if complete {
		return found, nil
	}
	// Somebody's lists are not known, or may have changed: what was not found may be there now.
	since := s.now().Add(-time.Second)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	wait.Go(func() { s.gatherAbout(ctx, r) }) // onlyHolder wants to know, and a source that hangs is waited for once
	for _, src := range s.sources {
		for _, method := range []string{resourcesList, templatesList} {
			wait.Go(func() {
				if _, err := src.lists[method].since(ctx, r, since); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()
	found, _ = s.lookUp(r, uris)
	only := s.onlyHolder(ctx, r)
	for i := range found {
		if found[i] == nil {
			found[i] = only
		}
		if found[i] == nil && failed != nil {
			return found, notAsked(failed) // it may be the one that cannot say what it has
		}
	}
	return found, nil
}

// lookUp looks into the lists that are known. complete says that asking the sources would change nothing.
func (s *Server) lookUp(r *edge.Request, uris []string) (found []*source, complete bool) {
	found, complete = make([]*source, len(uris)), true
	missing := len(uris)
	for _, src := range s.sources {
		listed, known, _ := src.lists[resourcesList].peek(r)
		shaped, knownToo, _ := src.lists[templatesList].peek(r)
		if !known || !knownToo {
			complete = false
		}
		for i, uri := range uris {
			if found[i] == nil && (known && listed.byKey[uri] != nil || knownToo && shaped.shapes(uri)) {
				found[i] = src
				missing--
			}
		}
		if missing == 0 && complete {
			return found, true // whoever comes later is not asked
		}
	}
	return found, complete && missing == 0
}

// onlyHolder is the one source that offers resources at all, or nil: what it does not list, such as the target of a link
// in a result, can only be its.
func (s *Server) onlyHolder(ctx context.Context, r *edge.Request) *source {
	var only *source
	for i, a := range s.gatherAbout(ctx, r) {
		if a == nil {
			return nil // it may be another one
		}
		if _, offers := a.capabilities["resources"]; !offers {
			continue
		}
		if only != nil {
			return nil
		}
		only = s.sources[i]
	}
	return only
}

// shapes reports whether one of the templates fits.
func (l *list) shapes(uri string) bool {
	for _, one := range l.items {
		if one.fits.fits(uri) {
			return true
		}
	}
	return false
}

const codeResourceNotFound = -32002 // of legacy revisions (§17)

func unknownResource(uri string, modern bool) error {
	data, _ := json.Marshal(map[string]string{"uri": mcp.Clip(uri)})
	code := codeResourceNotFound
	if modern {
		code = edge.CodeInvalidParams
	}
	return &edge.Error{Code: code, Msg: "unknown resource: " + mcp.Clip(uri), Data: data}
}
