package proxy

// State is what survives a reload: breakers, turns of pools, connections and tokens of backends, by the hash of their
// definition. One per process.
type State struct{}

// NewState returns an empty state.
func NewState() *State { return &State{} }

// Retain forgets the backends and pools that p does not use. Call it once p serves and the one before it does not.
func (s *State) Retain(p *Pipeline) {}
