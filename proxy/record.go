package proxy

import (
	"math"
	"time"
)

// Record is one ledger row: one per call that passed identification, whatever happened to it (operations.md §6,
// llm.md §15.1).
type Record struct {
	ID        string // ours, unique
	RequestID string
	Time      time.Time // of arrival, UTC

	Subscription, Product string
	Caller                string // subject; never a name
	ClientID              string
	Surface               Surface
	Endpoint              string
	Server, Tool          string
	Model, UpstreamModel  string
	Backend               string
	Attempts              int
	Status                int
	Ending                Ending // column outcome
	Code                  string
	Stream                bool
	Cache                 string

	Usage        Usage
	CostMicro    int64
	SavedMicro   int64
	Currency     string
	PriceVersion string

	Duration  time.Duration
	FirstByte time.Duration // 0: unknown
	Upstream  time.Duration
}

// Price is money per million tokens. A nil *Price is an unpriced model.
type Price struct {
	Input, CachedInput, CacheWrite, Output float64
	Version                                string // hash of the numbers
}

// CostMicro is what usage costs, in millionths of the currency, rounded half-even once (llm.md CB-2). Cached and
// cache-creation tokens are part of the input; where their price is 0 the input's counts. A nil price costs 0.
func (p *Price) CostMicro(u Usage) int64 {
	if p == nil {
		return 0
	}
	cached, write := p.CachedInput, p.CacheWrite
	if cached == 0 {
		cached = p.Input
	}
	if write == 0 {
		write = p.Input
	}
	plain := max(u.Input-u.Cached-u.CacheWrite, 0)
	sum := float64(plain)*p.Input + float64(u.Cached)*cached + float64(u.CacheWrite)*write + float64(u.Output)*p.Output
	return int64(math.RoundToEven(sum))
}

// Recorder takes ledger rows. Record must not block on a disk or a network, and must not lose a row silently.
type Recorder interface {
	Record(Record)
}
