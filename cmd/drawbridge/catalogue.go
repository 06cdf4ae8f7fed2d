package main

import (
	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// Resource and Resources make a snapshot the broker's catalogue.
func (s *snapshot) Resource(uri string) (oauth.Resource, bool) {
	for _, r := range s.resources {
		if r.URI == uri {
			return r, true
		}
	}
	return oauth.Resource{}, false
}

func (s *snapshot) Resources() []oauth.Resource { return s.resources }

// liveCatalogue always asks the snapshot that serves now; for parts that outlive snapshots.
type liveCatalogue struct{ current func() *snapshot }

func (l liveCatalogue) Resource(uri string) (oauth.Resource, bool) { return l.current().Resource(uri) }
func (l liveCatalogue) Resources() []oauth.Resource                { return l.current().Resources() }
