package llm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/llm/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy"
)

// Model is one model that callers may ask for. Immutable.
type Model struct {
	Name     string
	Provider Provider
	Target   string // backend or pool
	Price    *proxy.Price
	Roles    []string
	Drain    bool // on_disconnect: drain

	upstream map[string]string // by backend
	fallback string            // upstream name at backends that are not in upstream
	family   tokens.Family
	capName  string // the member that a completion cap is written to where the body has none (MX-1)
}

// UpstreamModel returns the provider's name of the model at a backend (PL-6).
func (m *Model) UpstreamModel(backend string) string {
	if name, ok := m.upstream[backend]; ok {
		return name
	}
	return m.fallback
}

// Catalogue is the models of a snapshot, sorted by name.
type Catalogue struct {
	models  []*Model
	byName  map[string]*Model // names and aliases
	created time.Time
	counter *tokens.Counter
	image   int // tokens of an image
}

// Fault is something wrong in a Config, at a path relative to it: models[2].aliases[0].
type Fault struct{ Path, Msg string }

// NewCatalogue builds the models of c, or reports everything that is wrong with it. created is told as the age of every
// model; it should be the start of the process.
func NewCatalogue(c Config, created time.Time) (*Catalogue, []Fault) {
	cat := &Catalogue{byName: map[string]*Model{}, created: created, counter: tokens.NewCounter(int(c.CountBytes)), image: c.ImageTokens}
	var faults []Fault
	for i, mc := range c.Models {
		fault := func(key, msg string, args ...any) {
			faults = append(faults, Fault{fmt.Sprintf("models[%d].%s", i, key), fmt.Sprintf(msg, args...)})
		}
		m := newModel(mc, fault)
		cat.models = append(cat.models, m)
		for j, name := range append([]string{mc.Name}, mc.Aliases...) {
			key := "name"
			if j > 0 {
				key = fmt.Sprintf("aliases[%d]", j-1)
			}
			if other := cat.byName[name]; other != nil {
				fault(key, "%q is already a name of the model %q", name, other.Name)
			}
			if name == "" {
				fault(key, "must not be empty")
			}
			cat.byName[name] = m
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	slices.SortFunc(cat.models, func(a, b *Model) int { return strings.Compare(a.Name, b.Name) })
	return cat, nil
}

func newModel(mc ModelConfig, fault func(key, msg string, args ...any)) *Model {
	m := &Model{
		Name: mc.Name, Provider: Provider(mc.Provider), Target: mc.Backend, Roles: mc.Roles,
		Drain: mc.OnDisconnect == "drain", fallback: mc.Name, Price: newPrice(mc.Price, fault),
	}
	switch m.Provider {
	case OpenAI, AzureOpenAI:
	case "":
		m.Provider = OpenAI
	default:
		fault("provider", "%s is not built yet; openai and azure_openai are served", mc.Provider)
	}
	if mc.UpstreamModel.Name != "" {
		m.fallback = mc.UpstreamModel.Name
	}
	for j, member := range mc.UpstreamModel.Members {
		if m.upstream == nil {
			m.upstream = map[string]string{}
		}
		if _, again := m.upstream[member.Backend]; again {
			fault(fmt.Sprintf("upstream_model[%d].backend", j), "%q is listed twice", member.Backend)
		}
		m.upstream[member.Backend] = member.UpstreamModel
	}
	m.family = familyOf(mc, m.fallback, fault)
	m.capName = capName(m.family.Name)
	return m
}

// capName is the member that a family of models takes a completion cap from: the newer ones refuse max_tokens (MX-1).
func capName(family string) string {
	switch family {
	case "gpt-5", "gpt-6", "o1", "o3", "o4-mini":
		return "max_completion_tokens"
	}
	return "max_tokens"
}

// familyOf picks how tokens are counted: by what the entry says, else by the names (§6.3).
func familyOf(mc ModelConfig, upstream string, fault func(key, msg string, args ...any)) tokens.Family {
	if len(mc.UpstreamModel.Members) > 0 && mc.UpstreamModel.Name == "" {
		upstream = mc.UpstreamModel.Members[0].UpstreamModel
	}
	f := tokens.ForModel(upstream, mc.Name)
	if mc.Family != "" {
		named, ok := tokens.FamilyNamed(mc.Family)
		if !ok {
			fault("family", "%q is not a known family of models", mc.Family)
		}
		f = named
	}
	if mc.Encoding != "" {
		enc, ok := tokens.ParseEncoding(mc.Encoding)
		if !ok {
			fault("encoding", "%q is not a known encoding", mc.Encoding)
		}
		f.Encoding, f.BytesPerToken = enc, 0
		if f.PerMessage == 0 && !f.InputsOnly { // a model we know nothing of, with a vocabulary we know
			f.PerMessage, f.Primer, f.Function = 3, 3, 7
		}
	}
	return f
}

func newPrice(pc *PriceConfig, fault func(key, msg string, args ...any)) *proxy.Price {
	if pc == nil {
		return nil
	}
	p := &proxy.Price{Input: pc.Input, CachedInput: pc.Input, CacheWrite: pc.Input, Output: pc.Output}
	if pc.CachedInput != nil {
		p.CachedInput = *pc.CachedInput
	}
	if pc.CacheWrite != nil {
		p.CacheWrite = *pc.CacheWrite
	}
	for _, v := range []float64{p.Input, p.CachedInput, p.CacheWrite, p.Output} {
		if v < 0 {
			fault("price", "must not be negative")
			break
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%v|%v|%v|%v", p.Input, p.CachedInput, p.CacheWrite, p.Output))
	p.Version = hex.EncodeToString(sum[:8])
	return p
}

// All returns the models, sorted by name. The list is shared: do not change it.
func (c *Catalogue) All() []*Model { return c.models }

// Find returns the model of that name or alias, compared exactly (EP-12), or nil.
func (c *Catalogue) Find(name string) *Model { return c.byName[name] }
