package registration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

var dcrPattern = regexp.MustCompile(`^dcr_[a-z2-7]{26}$`)

// Resolver finds clients by id. It lives as long as the process.
type Resolver struct {
	Config    func() *oauth.Config // of the current snapshot
	Clients   oauth.ClientStore
	Documents *Documents       // nil: client documents are off, whatever the configuration says
	Audit     oauth.Recorder   // nil: none
	Now       func() time.Time // nil means time.Now
}

// DocumentError says why the client behind an https id cannot be used: what the authorize page shows (oauth.md §5.6).
// Text is one of a closed set, so that nobody learns about our network from it.
type DocumentError struct {
	Status     int    // 400, 403 or 429
	Host       string // of the client id; "" when the id is no usable address
	Text       string // one sentence without a full stop
	RetryAfter time.Duration
	Err        error // for the log
}

func (e *DocumentError) Error() string {
	if e.Err == nil {
		return "client document: " + e.Text
	}
	return fmt.Sprintf("client document: %s: %v", e.Text, e.Err)
}

func (e *DocumentError) Unwrap() error { return e.Err }

// Client returns the client with this id for an authorization request; a client document is fetched when it is not
// known. The client may be pending or blocked. Errors: oauth.ErrNotFound for an id that nobody has, *DocumentError for a
// document that cannot be used; anything else means that the store is unavailable.
func (r *Resolver) Client(ctx context.Context, id string) (oauth.Client, error) {
	switch kind := r.kind(id); kind {
	case oauth.Preregistered:
		return r.configured(id), nil
	case oauth.Registered:
		return r.registered(ctx, id)
	case oauth.Document:
		return r.document(ctx, id)
	}
	return oauth.Client{}, oauth.ErrNotFound
}

// TokenClient returns the client with this id for a token request. Nothing is fetched: what a code or refresh token was
// given to is already decided, and strangers must not make us fetch by asking for tokens.
func (r *Resolver) TokenClient(ctx context.Context, id string) (oauth.Client, error) {
	if r.kind(id) != oauth.Document {
		return r.Client(ctx, id)
	}
	cfg := r.Config()
	if r.Documents == nil || cfg.ClientDocuments == oauth.Closed || checkDocumentURL(id, "") != nil {
		return oauth.Client{}, oauth.ErrNotFound
	}
	client, ok := r.Documents.cached(id)
	if !ok {
		client = documentClient(id)
	}
	decided, err := r.Clients.Client(ctx, id)
	known := err == nil && decided.Kind == oauth.Document
	approve := cfg.ClientDocuments == oauth.Approve
	switch {
	case err != nil && !errors.Is(err, oauth.ErrNotFound):
		return oauth.Client{}, err
	case known && (approve || decided.Status == oauth.Blocked): // where all are welcome only a block counts
		client.Status = decided.Status
	case approve:
		client.Status = oauth.Pending
	}
	return client, nil
}

// Blocked reports whether the tokens of a client must not be used any more: it was blocked, deleted or taken out of the
// configuration. It is what tokens.Verifier asks.
func (r *Resolver) Blocked(ctx context.Context, id string) (bool, error) {
	if r.kind(id) == oauth.Preregistered {
		return false, nil
	}
	client, err := r.Clients.Client(ctx, id)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return !strings.HasPrefix(id, "https://"), nil // a document needs no record; all others do
	case err != nil:
		return false, err
	}
	return client.Status == oauth.Blocked, nil
}

// kind says by what an id is looked up; "" is no id of ours. Order: configured, dcr_, https (oauth.md §6.1).
func (r *Resolver) kind(id string) oauth.ClientKind {
	for i := range r.Config().Clients {
		if r.Config().Clients[i].ID == id && id != "" {
			return oauth.Preregistered
		}
	}
	switch {
	case dcrPattern.MatchString(id):
		return oauth.Registered
	case strings.HasPrefix(id, "https://"):
		return oauth.Document
	}
	return ""
}

func (r *Resolver) configured(id string) oauth.Client {
	cfg := r.Config()
	for i := range cfg.Clients {
		if cfg.Clients[i].ID == id {
			return cfg.Clients[i].Client()
		}
	}
	return oauth.Client{}
}

func (r *Resolver) registered(ctx context.Context, id string) (oauth.Client, error) {
	client, err := r.Clients.Client(ctx, id)
	if err == nil && client.Kind != oauth.Registered {
		return oauth.Client{}, oauth.ErrNotFound
	}
	return client, err
}

// document resolves a client by its document (oauth.md §6.2, §6.5).
func (r *Resolver) document(ctx context.Context, id string) (oauth.Client, error) {
	cfg := r.Config()
	if r.Documents == nil || cfg.ClientDocuments == oauth.Closed {
		return oauth.Client{}, &DocumentError{Status: http.StatusForbidden, Text: "applications without registration are not accepted here"}
	}
	if err := checkDocumentURL(id, r.Documents.OwnHost); err != nil {
		return oauth.Client{}, &DocumentError{Status: http.StatusBadRequest, Text: "its address cannot be used", Err: err}
	}
	host := documentHost(id)
	if !hostAllowed(cfg.ClientDocumentHosts, host) {
		return oauth.Client{}, &DocumentError{Status: http.StatusForbidden, Host: host, Text: "applications from this host are not accepted here"}
	}
	client, err := r.Documents.get(ctx, id)
	if err != nil {
		r.Audit.Record(ctx, oauth.Event{Name: "document.refused", ClientID: id, Outcome: oauth.OutcomeRefused, Reason: "unusable"})
		return oauth.Client{}, err
	}
	return r.decide(ctx, client, cfg.ClientDocuments == oauth.Approve)
}

// decide adds an administrator's decision about a document client. With mode approve an unknown one is recorded, once,
// and so is one whose redirect hosts are not those that were approved.
func (r *Resolver) decide(ctx context.Context, client oauth.Client, approve bool) (oauth.Client, error) {
	decided, err := r.Clients.Client(ctx, client.ID)
	known := err == nil && decided.Kind == oauth.Document
	switch {
	case err != nil && !errors.Is(err, oauth.ErrNotFound):
		return oauth.Client{}, err
	case known && decided.Status == oauth.Blocked:
		client.Status = oauth.Blocked
		return client, nil
	case !approve:
		return client, nil
	case known && sameHosts(decided.RedirectURIs, client.RedirectURIs):
		client.Status = decided.Status
		return client, nil
	}
	client.Status, client.Created = oauth.Pending, now(r.Now)
	if err := r.Clients.PutClient(ctx, client); err != nil {
		return oauth.Client{}, fmt.Errorf("record client for approval: %w", err)
	}
	return client, nil
}

func now(clock func() time.Time) time.Time {
	if clock == nil {
		return time.Now().UTC()
	}
	return clock().UTC()
}
