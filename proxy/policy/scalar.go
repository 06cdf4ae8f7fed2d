package policy

import (
	"fmt"
	"strconv"
)

// Expr is an expression that may be written as a bare number or boolean: `cap: 2000`.
type Expr string

// UnmarshalText takes any scalar as the text of an expression.
func (e *Expr) UnmarshalText(text []byte) error { *e = Expr(text); return nil }

// Estimate is how a token policy learns the size of a prompt (llm.md TL-3).
type Estimate string

const (
	EstimateBound Estimate = "true"  // cheap bounds first
	EstimateNone  Estimate = "false" // nothing is reserved
	EstimateExact Estimate = "exact" // always counted
)

// UnmarshalText takes true, false or exact.
func (e *Estimate) UnmarshalText(text []byte) error {
	switch v := Estimate(text); v {
	case EstimateBound, EstimateNone, EstimateExact:
		*e = v
		return nil
	}
	return fmt.Errorf("must be true, false or exact")
}

// HeaderNames are other names for the headers that tell a limit (llm.md RL-12). A name left out keeps ours. Written as
// false it turns them off where the policy allows that.
type HeaderNames struct {
	// Limit tells how much the limit is.
	Limit string `yaml:"limit"`
	// Remaining tells how much is left.
	Remaining string `yaml:"remaining"`
	// RetryAfter tells how long to wait.
	RetryAfter string `yaml:"retry_after"`

	Off bool `yaml:"-"`
}

// UnmarshalText takes true or false.
func (h *HeaderNames) UnmarshalText(text []byte) error {
	on, err := strconv.ParseBool(string(text))
	if err != nil {
		return fmt.Errorf("must be true, false or names of headers")
	}
	*h = HeaderNames{Off: !on}
	return nil
}
