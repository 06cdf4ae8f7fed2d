package proxy

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

const maxMembers = 64

func build(cfg Config, state *State, deps Deps) (*Pipeline, error) {
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	p := &Pipeline{
		deps: deps, currency: cmp.Or(cfg.Currency, "USD"), agent: "drawbridge/" + cmp.Or(cfg.Version, "dev"),
		hygiene: NewHygiene(), targets: map[string]*target{}, roads: map[string]*road{}, keys: map[stateKey]bool{},
	}
	errs := p.addBackends(&cfg, state)
	errs = append(errs, p.addPools(&cfg, state)...)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Pipeline) addBackends(cfg *Config, state *State) (errs []error) {
	pooled := map[string]bool{}
	for _, pool := range cfg.Pools {
		for _, m := range pool.Members {
			pooled[m.Backend] = true
		}
	}
	for i, c := range cfg.Backends {
		at := fmt.Sprintf("backends[%d]", i)
		if p.roads[c.Name] != nil {
			errs = append(errs, &ConfigError{at + ".name", fmt.Sprintf("%q is already taken", c.Name)})
			continue
		}
		r, err := newRoad(c, cfg, p.hygiene, state, &p.deps, pooled[c.Name])
		if err != nil {
			errs = append(errs, faults(at, err)...)
			continue
		}
		p.roads[c.Name] = r
		p.keys[r.key] = true
		t := &target{name: c.Name, members: []member{{road: r, weight: 1}}, attempts: max(r.retry.attempts, 1)}
		t.tiers = []tier{{mask: 1, turns: &turns{}}}
		p.targets[c.Name] = t
	}
	return errs
}

func (p *Pipeline) addPools(cfg *Config, state *State) (errs []error) {
	for i := range cfg.Pools {
		c, at := &cfg.Pools[i], fmt.Sprintf("pools[%d]", i)
		if p.targets[c.Name] != nil {
			errs = append(errs, &ConfigError{at + ".name", fmt.Sprintf("%q is already taken", c.Name)})
			continue
		}
		t, err := p.newPool(c, cfg.Region, state)
		if err != nil {
			errs = append(errs, faults(at, err)...)
			continue
		}
		p.targets[c.Name] = t
	}
	return errs
}

func (p *Pipeline) newPool(c *PoolConfig, region string, state *State) (*target, error) {
	if len(c.Members) == 0 || len(c.Members) > maxMembers {
		return nil, fmt.Errorf("members: must be 1 to %d backends", maxMembers)
	}
	t := &target{name: c.Name, leastBusy: c.Balance == "least_busy"}
	seen := map[string]bool{}
	for i, m := range c.Members {
		r := p.roads[m.Backend]
		switch {
		case seen[m.Backend]:
			return nil, fmt.Errorf("members[%d].backend: %q is there twice", i, m.Backend)
		case r == nil:
			return nil, fmt.Errorf("members[%d].backend: no backend %q", i, m.Backend)
		case m.Weight < 0 || m.Weight > 1_000_000:
			return nil, fmt.Errorf("members[%d].weight: must be 0 to 1000000", i)
		}
		seen[m.Backend] = true
		t.members = append(t.members, member{road: r, weight: m.Weight})
		t.attempts = max(t.attempts, r.retry.attempts)
	}
	if t.attempts == 0 {
		t.attempts = min(len(t.members), 3) // RE-1
	}
	if err := p.addAffinity(t, c.Affinity); err != nil {
		return nil, err
	}
	t.tiers = newTiers(c.Members, t.members, region)
	kept, key := state.poolTurns(c.Name, struct {
		Config PoolConfig
		Region string
	}{*c, region}, len(t.tiers))
	for i := range t.tiers {
		t.tiers[i].turns = kept[i]
	}
	p.keys[key] = true
	return t, nil
}

func (p *Pipeline) addAffinity(t *target, expression string) (err error) {
	if expression == "" {
		return nil
	}
	if p.deps.Affinity == nil {
		return errors.New("affinity: is not available here")
	}
	if t.affinity, err = p.deps.Affinity(expression); err != nil {
		return fmt.Errorf("affinity: %w", err)
	}
	return nil
}

// ConfigError is one fault of a Config. New joins all it finds; errors.Join's Unwrap() []error gives them one by one.
type ConfigError struct {
	Path    string // backends[2].credential
	Message string
}

func (e *ConfigError) Error() string { return e.Path + ": " + e.Message }

// faults turns "key: message" errors, one or joined, into faults below at.
func faults(at string, err error) []error {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // exactly what errors.Join made
		list = joined.Unwrap()
	}
	for i, e := range list {
		key, message, _ := strings.Cut(e.Error(), ": ")
		list[i] = &ConfigError{at + "." + key, message}
	}
	return list
}

// newTiers orders the members: weight 0 last of all, then by priority, then the gateway's own region first.
func newTiers(configs []MemberConfig, members []member, region string) []tier {
	type rank struct {
		spare, away bool
		priority    int
	}
	masks := map[rank]uint64{}
	var order []rank
	for i, c := range configs {
		k := rank{spare: c.Weight == 0, priority: c.Priority}
		k.away = region != "" && members[i].road.backend.Region != region
		if masks[k] == 0 {
			order = append(order, k)
		}
		masks[k] |= 1 << i
	}
	slices.SortFunc(order, func(a, b rank) int {
		return cmp.Or(compareBool(a.spare, b.spare), cmp.Compare(a.priority, b.priority), compareBool(a.away, b.away))
	})
	tiers := make([]tier, len(order))
	for i, k := range order {
		tiers[i].mask = masks[k]
	}
	return tiers
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}
