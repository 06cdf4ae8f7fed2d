package upstream

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
)

// Leg is the way to one upstream, for one server of one snapshot. Safe for concurrent use.
type Leg struct {
	cfg Config
	log *slog.Logger
	now func() time.Time
	ids atomic.Uint64 // of requests; they mean something only on their own stream
	odd listing.Once  // tools that were warned of
}

// New makes a leg. It connects to nothing yet.
func New(cfg Config) (*Leg, error) {
	switch {
	case cfg.Doer == nil:
		return nil, fmt.Errorf("server %s: an upstream needs a pipeline", cfg.Server)
	case cfg.Backend == "":
		return nil, fmt.Errorf("server %s: an upstream needs a backend", cfg.Server)
	}
	l := &Leg{cfg: cfg, log: cfg.Log, now: cfg.Now}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.cfg.Memory == nil {
		l.cfg.Memory = NewMemory()
	}
	if l.cfg.Era == "" {
		l.cfg.Era = Auto
	}
	if l.cfg.Version == "" {
		l.cfg.Version = "dev"
	}
	l.cfg.Limits = cfg.Limits.orDefaults()
	return l, nil
}

// owner is whose things are kept together: everybody's, or where the credential is a person's own that person's (T4).
func (l *Leg) owner(on *Behalf) string {
	if !l.cfg.Personal {
		return ""
	}
	return ownerOf(on)
}

func ownerOf(on *Behalf) string {
	if on.Caller == nil {
		return ""
	}
	return string(on.Caller.Kind) + "\x00" + on.Caller.Subject + "\x00" + on.Caller.Subscription.ID
}
