package combined

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/access"
	"github.com/drawbridge-mcp/drawbridge/mcp/edge"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// Source is one part of a combined server. It has no access rules of its own: who may use what is decided here, by the
// public name (C9).
type Source struct {
	As     string // prefix of its names; unique
	Title  string // heading of its instructions; "": what it calls itself, else As
	Server edge.Server
	// Made says that the source was made here for this server: its tools bear their public names already, and its lists
	// never change while this snapshot serves. Otherwise it has names of its own, which change as it likes.
	Made bool
	// Personal says that its lists are the caller's own and must not be shown to anybody else (T4). What a source marks
	// as private is kept apart without it.
	Personal bool
}

// Tool is what the configuration says of one tool, by its public name.
type Tool = access.Tool

// Config is everything a combined server needs to know.
type Config struct {
	Name         string // mcp_servers[].name
	Title        string
	Version      string // "" means 0.0.0
	Description  string
	Instructions string // in place of what the sources say; "": theirs

	Sources []Source        // in the order of `from`
	Tools   map[string]Tool // by public name

	// Access reports whether a caller may use the server; when not, need names what is missing, for people. nil: everybody.
	Access func(c *identity.Caller) (ok bool, need string)
	// Match reports whether the caller is one of entries (role:…, group:…, user:…, or a bare role). nil: bare roles.
	Match func(c *identity.Caller, entries []string) bool
	// Challenge makes the WWW-Authenticate value of a 403 when a call needs a scope the token lacks (A2, oauth.md §8.3).
	// nil: without resource_metadata.
	Challenge func(c *identity.Caller, server, scope string) string
	// Hold decides about tools of sources that are not Made, when they are listed and when they are called (§15). nil: none.
	Hold Hold

	ListTTL time.Duration // ttlMs of lists, and how long a source's list is used; 0: clients must not keep them
	Page    int           // entries in one page of a list; 0: all
	Keep    time.Duration // how long the last good list of a source that fails is used; 0: 30m
	Keyring *secret.Keyring
	// Shared says that whoever can sign in sees the same lists (T5). Tools with rules of their own and sources with
	// private lists make them private whatever it says.
	Shared bool
	// Previous is the server of the same name in the snapshot that this one replaces; cursors of its lists go on (T6). nil: none.
	Previous *Server

	Log *slog.Logger     // nil: discarded
	Now func() time.Time // nil: time.Now
}

// Hold keeps changed tools of upstreams back until somebody has looked at them (mcp.md §15).
type Hold interface {
	// Seen is told the whole list of one source, by its prefix and public names, as clients with these offers see it
	// (edge.Offers), before any of it is listed or called, and again whenever it differs from the one before. What other
	// sources list it says nothing about.
	Seen(ctx context.Context, source, offers string, tools []Definition) error
	// Version changes whenever Held may say something else, Editions whenever it may of a tool that may allows (L3).
	Version() string
	Editions(may func(tool string) bool) string
	// Withheld are those of a source's tools that must not be listed as they are defined here: a list that was read a while
	// ago may show another tool than the one that is approved now under its name.
	Withheld(tools []Definition) map[string]bool
	// Held reports whether a tool may not be called; text is what a call is told.
	Held(name string) (text string, held bool)
}

// Definition is a tool as its source defines it, but for its name, which is the public one.
type Definition struct {
	Name   string
	Source string // prefix of its source
	Wire   json.RawMessage
}

const (
	defaultKeep = 30 * time.Minute
	answerTime  = 5 * time.Second // for each source (C5)
	knockAgain  = 5 * time.Second // after a source that let us wait in vain
)
