// Package egress fetches from and dials addresses that someone else chose: client documents, OpenAPI documents, metadata
// of upstreams, model endpoints (operations.md §12). It stands alone.
//
//	URL ─ one parser ─ canonical host ─ deny list ─ resolve once ─ every answer against the table ─ dial that address
//	  ▲                                                                                              │
//	  └────────────── redirect: ≤ 3, GET, same host, https ──────────────────────────────────────────┘
//
// The name is resolved once and the checked address itself is dialled, so that an answer that changes between check and
// use (DNS rebinding) has nothing to change.
package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Config says what may be reached. The zero value allows https to public addresses only.
type Config struct {
	// Allow are hosts, host:port pairs or CIDRs that may be reached although the table says no; http is allowed to them.
	Allow []string
	// Deny are hosts, host:port pairs or CIDRs that may not be reached.
	Deny []string
	// OwnHost is the host of public_url: never fetched, so that nobody makes the gateway call itself.
	OwnHost string
	// AllowLoopback is for `try` and the dev provider: 127.0.0.0/8, ::1 and localhost, http and any port.
	AllowLoopback bool

	Resolver Resolver       // nil: the system's
	RootCAs  *x509.CertPool // nil: the system's; tests
	Log      *slog.Logger   // where causes go; nil: slog.Default()
	Now      func() time.Time
	// MinTime is how long a failed fetch takes at least, so that its duration tells nothing; 0 means 200ms, negative off.
	MinTime time.Duration
}

// Resolver turns a name into addresses; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Limits of one fetch. Zero values mean the defaults of operations.md §12 for metadata.
type Limits struct {
	Feature      string        // "client", "OpenAPI" …: names the document in the error text
	Bytes        int64         // of the body, after decoding; 0 means 1 MiB
	Time         time.Duration // of everything; 0 means 5s
	Redirects    int           // 0 means 3, negative none
	ContentTypes []string      // media types without parameters; a final * matches any ending; empty: any
	Accept       string        // Accept header; "" means */*
	Header       http.Header   // further request headers, such as If-None-Match; never credentials
}

// Response is a whole answer with status 200 (or 304 when the request was conditional).
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	URL    string // the last one, after redirects
}

// Error is a fetch that failed. Its text is the same for every cause; Cause is for the log only.
type Error struct {
	Feature string
	Cause   error
}

func (e *Error) Error() string {
	if e.Feature == "" {
		return "cannot fetch document"
	}
	return "cannot fetch " + e.Feature + " document"
}

// Unwrap gives the cause to errors.Is and to the log.
func (e *Error) Unwrap() error { return e.Cause }

// New checks the lists of cfg and returns a guard.
func New(cfg Config) (*Guard, error) {
	g := &Guard{cfg: cfg, log: cfg.Log, now: cfg.Now, resolver: cfg.Resolver, table: newTable()}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.now == nil {
		g.now = time.Now
	}
	if g.resolver == nil {
		g.resolver = net.DefaultResolver
	}
	var errs []error
	add := func(what string, list []string, to *rules) {
		for i, entry := range list {
			if err := to.add(entry); err != nil {
				errs = append(errs, fmt.Errorf("egress.%s[%d]: %w", what, i, err))
			}
		}
	}
	add("allow", cfg.Allow, &g.allow)
	add("deny", cfg.Deny, &g.deny)
	if cfg.OwnHost != "" {
		if err := g.own.add(cfg.OwnHost); err != nil {
			errs = append(errs, fmt.Errorf("own host: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	g.transport = g.newTransport()
	return g, nil
}

// A Guard decides what may be reached, dials it and fetches from it. Safe for concurrent use.
type Guard struct {
	cfg       Config
	log       *slog.Logger
	now       func() time.Time
	resolver  Resolver
	table     *table
	allow     rules
	deny      rules
	own       rules
	transport *http.Transport
}
