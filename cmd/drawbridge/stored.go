package main

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/drawbridge-mcp/drawbridge/mcp/bridge"
	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
	"github.com/drawbridge-mcp/drawbridge/mcp/search"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// stored is what is known of an upstream's tools without asking it: those that were approved (mcp.md §15), as they were then.
// Consent page and portal show them (A4), and a list that was long is taken for long until it is seen again.
type stored struct {
	book   *pins.Book
	prefix string // of the names of this part; "" where the upstream is the whole server
	access map[string]ToolAccessConfig
}

// pinned returns what the caller may use of what is shown: no tool that is held, or that was gone from the last list.
func (s stored) pinned(c *identity.Caller) []pins.Pin {
	all, err := s.book.All(context.Background())
	if err != nil {
		return nil // the log has it from whoever needs the pins
	}
	var list []pins.Pin
	for _, p := range all {
		roles := s.access[p.Tool].Roles
		if p.HeldHash == "" && strings.HasPrefix(p.Tool, s.prefix) && (len(roles) == 0 || entitled(c, roles)) {
			list = append(list, p)
		}
	}
	return list
}

// infos is what pages show.
func (s stored) infos(c *identity.Caller) []bridge.ToolInfo {
	var list []bridge.ToolInfo
	for _, p := range s.pinned(c) {
		var d struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			Annotations struct {
				Title       string `json:"title"`
				ReadOnly    bool   `json:"readOnlyHint"`
				Destructive bool   `json:"destructiveHint"`
			} `json:"annotations"`
		}
		_ = json.Unmarshal(p.Approved, &d) // what cannot be read is not shown; the name is
		if d.Title == "" {
			d.Title = d.Annotations.Title
		}
		one := bridge.ToolInfo{
			Name: p.Tool, Title: pins.Visible(d.Title), Description: pins.Visible(d.Description), Risk: "change", Scope: s.access[p.Tool].Scope,
		}
		switch {
		case d.Annotations.ReadOnly:
			one.Risk = "read"
		case d.Annotations.Destructive:
			one.Risk = "delete"
		}
		list = append(list, one)
	}
	return list
}

// known is what search takes the list for before it was seen.
func (s stored) known(c *identity.Caller) []search.Tool {
	shown := s.pinned(c)
	list := make([]search.Tool, len(shown))
	for i, p := range shown {
		list[i] = search.Tool{Name: p.Tool, Wire: p.Approved}
	}
	return list
}
