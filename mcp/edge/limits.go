package edge

import (
	"fmt"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp"
)

// Limits are the keys of `limits` that the MCP edge reads. Zero values mean the defaults.
type Limits struct {
	// Largest MCP request.
	MCPBody int64 `yaml:"mcp_body" default:"4MiB" unit:"size"`
	// Deepest nesting of JSON in an MCP request.
	JSONDepth int `yaml:"json_depth" default:"64"`
	// Most members of objects and arrays in an MCP request, together.
	JSONMembers int `yaml:"json_members" default:"100000"`
	// Open sessions of legacy MCP clients, of everybody together.
	Sessions int `yaml:"sessions" default:"50000"`
	// Open sessions of one caller; one more ends the longest idle one.
	SessionsPerCaller int `yaml:"sessions_per_caller" default:"100"`
	// A session that was not used for so long ends.
	SessionIdle time.Duration `yaml:"session_idle" default:"30m"`
	// Age at which a session ends.
	SessionMax time.Duration `yaml:"session_max" default:"24h"`
	// Open subscriptions/listen and GET streams of one caller on one server; the oldest ends.
	ListensPerCaller int `yaml:"listens_per_caller" default:"10"`
	// Silence of an upstream after which a stream ends.
	StreamIdle time.Duration `yaml:"stream_idle" default:"5m"`
	// Age at which a stream ends.
	StreamMax time.Duration `yaml:"stream_max" default:"1h"`
}

// OrDefaults returns l with the default in place of every zero.
func (l Limits) OrDefaults() Limits {
	def(&l.MCPBody, 4<<20)
	def(&l.JSONDepth, 64)
	def(&l.JSONMembers, 100_000)
	def(&l.Sessions, 50_000)
	def(&l.SessionsPerCaller, 100)
	def(&l.SessionIdle, 30*time.Minute)
	def(&l.SessionMax, 24*time.Hour)
	def(&l.ListensPerCaller, 10)
	def(&l.StreamIdle, 5*time.Minute)
	def(&l.StreamMax, time.Hour)
	return l
}

// Validate reports the first limit that makes no sense; it changes nothing.
func (l Limits) Validate() error {
	for key, v := range map[string]int64{
		"mcp_body": l.MCPBody, "json_depth": int64(l.JSONDepth), "json_members": int64(l.JSONMembers), "sessions": int64(l.Sessions),
		"sessions_per_caller": int64(l.SessionsPerCaller), "session_idle": int64(l.SessionIdle), "session_max": int64(l.SessionMax),
		"listens_per_caller": int64(l.ListensPerCaller), "stream_idle": int64(l.StreamIdle), "stream_max": int64(l.StreamMax),
	} {
		if v < 0 {
			return fmt.Errorf("limits.%s: must not be negative", key)
		}
	}
	return nil
}

func (l Limits) sessions() mcp.SessionLimits {
	return mcp.SessionLimits{Total: l.Sessions, PerCaller: l.SessionsPerCaller, Idle: l.SessionIdle, Max: l.SessionMax}
}

func def[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}
