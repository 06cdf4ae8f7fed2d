package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/llm"
	"github.com/drawbridge-mcp/drawbridge/llm/builtin"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/resource"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/policy"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
	"github.com/drawbridge-mcp/drawbridge/samples/orders"
)

// local is what `try` has inside the process instead of on disk or elsewhere.
type local struct {
	documents  map[string]*openapi.Document // by API; imported once, since large ones take their time
	transports map[string]http.RoundTripper
}

// trial is one run of `try`.
type trial struct {
	p       *program
	listen  string
	ready   string
	backend string
	open    bool
	spec    string // "" = the bundled API

	name string // of the server
	key  string // subscription key, new each time
}

func (p *program) tryCommand() *cobra.Command {
	t := &trial{p: p}
	c := &cobra.Command{
		Use:   "try [SPEC]",
		Short: "Serve a REST API as an MCP server, with sign-in and a built-in model, with nothing set up",
		Long: `Serves on loopback, keeps everything in memory and leaves no file behind.
SPEC is an OpenAPI document: a path, - for standard input, or a URL. Without it a bundled API (orders) is served.`,
		Args: operands(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				t.spec = args[0]
			}
			return t.run(cmd.Context())
		},
	}
	c.Flags().StringVar(&t.listen, "listen", "127.0.0.1:8080", "loopback address to serve on; port 0 takes a free one")
	c.Flags().StringVar(&t.ready, "ready-file", "", "write a JSON file with the addresses and the key once everything serves")
	c.Flags().StringVar(&t.backend, "backend", "", "send the API's calls to this address instead of the document's own server")
	c.Flags().BoolVar(&t.open, "open", false, "open the portal in a browser")
	return c
}

func (t *trial) run(ctx context.Context) error {
	host, _, err := net.SplitHostPort(t.listen)
	if err != nil {
		return usage("--listen %s: must be host:port", t.listen)
	}
	if !loopbackHost(host) {
		return usage("--listen %s: try serves on loopback only, since anyone who reaches it can be anyone; use serve", t.listen)
	}
	if !t.p.logSet {
		t.p.logLevel = "warn" // the page of addresses is what one wants to see
	}
	cfg, pieces, err := t.config(ctx)
	if err != nil {
		return err
	}
	g, err := t.p.open(ctx, cfg, strictyaml.NewPositions(""), func(_ context.Context, _ *Config, now time.Time) (*secret.Keyring, error) {
		return secret.NewKeyring(now)
	}, pieces)
	if errors.Is(err, errInUse) {
		return failed("%w; --listen 127.0.0.1:0 takes a free port", err)
	}
	if err != nil {
		return err
	}
	g.config = ""
	g.onReady = func() error {
		if err := writeReady(t.ready, g, t.key); err != nil {
			return err
		}
		t.banner(g)
		if t.open {
			_ = openBrowser(g.snapshot().cfg.PublicURL)
		}
		return nil
	}
	return g.serve(ctx, nil)
}

// config is the configuration that `try` stands for, with what it needs inside the process.
func (t *trial) config(ctx context.Context) (*Config, *local, error) {
	cfg := NewConfig()
	cfg.Listen, cfg.PublicURL = t.listen, ""
	cfg.Storage.Database = "memory:"
	cfg.SignIn.Provider = "dev"
	cfg.SignIn.Dev.People = []entra.Person{{Name: "alice", Roles: []string{"Gateway.Admin"}}, {Name: "bob"}}
	cfg.Admins = []string{"role:Gateway.Admin"}
	cfg.OAuth.ClientDocuments = "closed" // clients register instead, so that everything works without a network
	pieces := &local{documents: map[string]*openapi.Document{}, transports: map[string]http.RoundTripper{}}
	if err := t.addAPI(ctx, cfg, pieces); err != nil {
		return nil, nil, err
	}
	t.addModels(cfg, pieces)
	return cfg, pieces, nil
}

// addAPI makes the document an API and a server named after its title.
func (t *trial) addAPI(ctx context.Context, cfg *Config, pieces *local) error {
	src, backend := openapi.Source{Location: "orders.openapi.yaml", Data: orders.OpenAPI}, t.backend
	var err error
	if t.spec != "" {
		if src, err = specSource(ctx, t.p.in, t.spec); err != nil {
			return failed("%s: %w", shown(t.spec), err)
		}
	} else if backend == "" {
		if backend, err = serveOrders(ctx); err != nil {
			return failed("%w", err)
		}
	}
	var a APIConfig
	strictyaml.Defaults(&a)
	a.Document = src.Location
	options := openapi.Options{}
	if backend != "" {
		if options.Backend, err = url.Parse(backend); err != nil || options.Backend.Host == "" {
			return usage("--backend %s: must be an http or https address", backend)
		}
	}
	doc, err := importDocument(ctx, src, options)
	if err != nil {
		return failed("%s", importFault(shown(src.Location), err))
	}
	if len(doc.Tools) == 0 {
		return failed("%s: none of its %d operations could become a tool: %s", t.spec, doc.Operations, firstReason(doc))
	}
	t.name = slug(doc.Title)
	a.Name = t.name
	if backend != "" {
		cfg.Backends, a.Backend = append(cfg.Backends, implicitBackend(t.name, backend)), t.name
	}
	pieces.documents[a.Name] = doc
	cfg.APIs = append(cfg.APIs, a)
	var s ServerConfig
	strictyaml.Defaults(&s)
	s.Name, s.Title, s.Version, s.Visibility = t.name, doc.Title, doc.Version, "public"
	s.Access.SubscriptionKeys = true
	s.From = []FromConfig{{API: a.Name}}
	cfg.MCPServers = append(cfg.MCPServers, s)
	return nil
}

func firstReason(doc *openapi.Document) string {
	if len(doc.Skipped) == 0 {
		return "it has no operations"
	}
	return doc.Skipped[0].Reason
}

// serveOrders runs the bundled API on a loopback port of its own, as a REST API somewhere else would be.
func serveOrders(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("serve the sample API: %w", err)
	}
	s := &http.Server{Handler: orders.New(nil), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }()
	context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(last)
	})
	return "http://" + l.Addr().String(), nil
}

// addModels adds the built-in model behind a pool of two, a cache, a generous token limit, and a model with a small one,
// so that all of it can be tried offline.
func (t *trial) addModels(cfg *Config, pieces *local) {
	model := &builtin.Model{}
	for _, name := range []string{"builtin-1", "builtin-2"} {
		cfg.Backends = append(cfg.Backends, implicitBackend(name, "http://"+name+".invalid/v1"))
		pieces.transports[name] = model
	}
	var pool proxy.PoolConfig
	strictyaml.Defaults(&pool)
	pool.Name = "builtin"
	pool.Members = []proxy.MemberConfig{{Backend: "builtin-1", Priority: 1, Weight: 1}, {Backend: "builtin-2", Priority: 2, Weight: 1}}
	cfg.Pools = append(cfg.Pools, pool)
	add := func(name string, aliases []string, policies ...policy.Entry) {
		var m llm.ModelConfig
		strictyaml.Defaults(&m)
		m.Name, m.Aliases, m.Backend, m.Provider, m.Family = name, aliases, "builtin", string(llm.OpenAI), "gpt-4o"
		m.Price, m.Policies = &llm.PriceConfig{Input: 2.5, Output: 10}, policies
		cfg.LLM.Models = append(cfg.LLM.Models, m)
	}
	cache := &policy.CacheExact{}
	strictyaml.Defaults(cache)
	cache.TTL = 5 * time.Minute
	limit := func(n int64) policy.Entry {
		l := &policy.TokenLimit{}
		strictyaml.Defaults(l)
		l.TokensPerMinute = n
		return policy.Entry{TokenLimit: l}
	}
	add("demo", []string{"gpt-4o", "gpt-4o-mini"}, policy.Entry{Cache: cache}, limit(1_000_000))
	add("demo-limited", nil, limit(500))
	add("demo-embeddings", []string{"text-embedding-3-small"})
	t.key = resource.NewKey()
	cfg.Products = []ProductConfig{{Name: "try", Grants: []string{"llm:*", "mcp:*"}, Approval: "automatic"}}
	cfg.Subscriptions = []SubscriptionConfig{{Name: "try", Product: "try", State: "active", Keys: []secret.Reference{{Value: secret.New(t.key)}}}}
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// slug turns a title into a server's name (CONTRACT §2).
func slug(title string) string {
	s := strings.Trim(notName.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(s) > 63 {
		s = strings.TrimRight(s[:63], "-")
	}
	if s == "" || s == "registry" || s == "llm" || s == "admin" {
		return "api"
	}
	return s
}

// readyFile is what scripts read (CONTRACT §2).
type readyFile struct {
	URL      string `json:"url"`
	MCPURL   string `json:"mcp_url"`
	AdminURL string `json:"admin_url"`
	LLMURL   string `json:"llm_url"`
	LLMKey   string `json:"llm_key"`
}

// writeReady writes the file whole: to a temporary one beside it, then renamed.
func writeReady(path string, g *gateway, key string) error {
	if path == "" {
		return nil
	}
	s := g.snapshot()
	base := s.cfg.PublicURL
	out := readyFile{URL: base, AdminURL: base + "/admin", LLMURL: base + "/llm/v1", LLMKey: key}
	if len(s.order) > 0 {
		out.MCPURL = resourceOf(base, s.order[0])
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".ready-")
	if err != nil {
		return fmt.Errorf("--ready-file: %w", err)
	}
	_, werr := f.Write(append(text, '\n'))
	if err := errors.Join(werr, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("--ready-file: %w", err)
	}
	return os.Rename(f.Name(), path)
}
