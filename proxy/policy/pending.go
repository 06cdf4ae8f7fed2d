package policy

import "github.com/drawbridge-mcp/drawbridge/proxy"

// Counters are what limits count, in memory; they survive reloads. One per process.
type Counters struct{}

// NewCounters returns empty counters.
func NewCounters() *Counters { return &Counters{} }

// Cache keeps whole answers in memory, at most so many bytes. One per process; it survives reloads.
type Cache struct{}

// NewCache returns an empty cache; 0 means 256 MiB.
func NewCache(maxBytes int64) *Cache { return &Cache{} }

// Env is the environment in which policies are compiled: the language of expressions, counters, cache. One per snapshot.
type Env struct{}

// NewEnv makes an environment.
func NewEnv(deps Deps) (*Env, error) { return &Env{}, nil }

func compile([]Entry, Scope, *Env) (*proxy.Policies, []Fault) { return nil, nil }
