package proxy

import "time"

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

// Recorder takes ledger rows. Record must not block on a disk or a network, and must not lose a row silently.
type Recorder interface {
	Record(Record)
}
