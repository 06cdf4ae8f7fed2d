package registration

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	maxBody     = 16 << 10
	bucketRate  = 20 // registrations a second
	bucketBurst = 500
	unusedAge   = time.Hour // a never-used client younger than this may still be signing in
)

// Handler is the registration endpoint (RFC 7591; oauth.md §6.4). It lives as long as the process.
type Handler struct {
	Config    func() *oauth.Config // of the current snapshot
	Clients   oauth.ClientStore
	Catalogue oauth.Catalogue  // which scopes there are
	Audit     oauth.Recorder   // nil: none
	Log       *slog.Logger     // nil means slog.Default()
	Now       func() time.Time // nil means time.Now

	bucket bucket
	one    sync.Mutex // of looking up and storing, so that equal bodies at once make one client
}

// Mount mounts POST /register on the group of /oauth.
func (h *Handler) Mount(g *echo.Group) { g.Any("/register", echo.WrapHandler(h)) }

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	oauth.AllowAnyOrigin(w)
	switch {
	case h.Config().Registration == oauth.Closed:
		oauth.WriteError(w, &oauth.Error{
			Code: oauth.InvalidRequest, Status: http.StatusNotFound,
			Description: "dynamic registration is off; ask your administrator for a client id",
		})
		return
	case r.Method == http.MethodOptions:
		oauth.Preflight(w, http.MethodPost)
		return
	case r.Method != http.MethodPost:
		oauth.MethodNotAllowed(w, "POST, OPTIONS")
		return
	}
	client, secret, err := h.register(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	answer, err := registrationAnswer(client, secret)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	oauth.WriteJSON(w, http.StatusCreated, answer)
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *oauth.Error
	if !errors.As(err, &e) {
		e = oauth.Unavailable(err)
	}
	identity.RequestFrom(r.Context()).Note(slog.String("decision", e.Code), slog.String("error", e.Error()))
	h.Audit.Record(r.Context(), oauth.Event{Name: "client.registered", Outcome: oauth.OutcomeRefused, Reason: e.Code})
	oauth.WriteError(w, e)
}

// register: limits, body, rules, one more client or the one that is there already.
func (h *Handler) register(w http.ResponseWriter, r *http.Request) (oauth.Client, string, error) {
	if !h.bucket.take(now(h.Now)) {
		return oauth.Client{}, "", tooMany(1 * time.Second)
	}
	members, err := readBody(w, r)
	if err != nil {
		return oauth.Client{}, "", err
	}
	m, fault := parseMetadata(members)
	if fault != nil {
		return oauth.Client{}, "", fault
	}
	if m.method == "" {
		m.method = m.defaultMethod()
	}
	m.scope = h.knownScopes(m.scope)
	return h.store(r.Context(), m)
}

func readBody(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	refuse := func(status int, text string) error {
		return &oauth.Error{Code: oauth.InvalidClientMetadata, Status: status, Description: text}
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, refuse(http.StatusBadRequest, "the content type must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is larger than 16 KiB")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "the body could not be read")
	}
	members, err := strictObject(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body must be one JSON object: "+err.Error())
	}
	return members, nil
}

// knownScopes keeps of a default request what some server has.
func (h *Handler) knownScopes(raw string) string {
	scopes, err := oauth.ParseScope(raw)
	if err != nil {
		return "" // names that cannot be scopes are names that no server has
	}
	resources := h.Catalogue.Resources()
	scopes = slices.DeleteFunc(scopes, func(s string) bool {
		return !slices.ContainsFunc(resources, func(res oauth.Resource) bool {
			return res.Scope == s || slices.ContainsFunc(res.Scopes, func(i oauth.ScopeInfo) bool { return i.Name == s })
		})
	})
	return strings.Join(scopes, " ")
}

// store keeps the client. A public client that registers again with equal metadata gets its old id: several clients do
// so at every start, and would otherwise fill the store.
func (h *Handler) store(ctx context.Context, m *metadata) (oauth.Client, string, error) {
	client, err := h.client(m)
	if err != nil {
		return oauth.Client{}, "", err
	}
	h.one.Lock()
	defer h.one.Unlock()
	secret := ""
	if m.method == oauth.AuthNone {
		old, err := h.Clients.ClientByFingerprint(ctx, client.Fingerprint)
		switch {
		case err == nil:
			return old, "", nil
		case !errors.Is(err, oauth.ErrNotFound):
			return oauth.Client{}, "", fmt.Errorf("find client: %w", err)
		}
	} else {
		secret = tokens.NewClientSecret()
		sum := sha256.Sum256([]byte(secret))
		client.SecretHash = sum[:]
	}
	room, err := h.Clients.EvictUnused(ctx, h.Config().MaxClients, client.Created.Add(-unusedAge))
	if err != nil {
		return oauth.Client{}, "", fmt.Errorf("make room: %w", err)
	}
	if !room {
		h.log().WarnContext(ctx, "no room for another registered client", "max_clients", h.Config().MaxClients)
		return oauth.Client{}, "", tooMany(time.Minute)
	}
	if err := h.Clients.PutClient(ctx, client); err != nil {
		return oauth.Client{}, "", fmt.Errorf("store client: %w", err)
	}
	h.Audit.Record(ctx, oauth.Event{Name: "client.registered", ClientID: client.ID, Outcome: oauth.OutcomeOK})
	return client, secret, nil
}

func (h *Handler) client(m *metadata) (oauth.Client, error) {
	text, err := m.effective()
	if err != nil {
		return oauth.Client{}, fmt.Errorf("encode metadata: %w", err)
	}
	c := oauth.Client{
		ID: "dcr_" + strings.ToLower(rand.Text()), Kind: oauth.Registered, Status: oauth.Approved, Name: m.name,
		RedirectURIs: m.redirectURIs, AuthMethod: m.method, GrantTypes: m.grantTypes, Scope: m.scope, Metadata: text,
		Created: now(h.Now),
	}
	if h.Config().Registration == oauth.Approve {
		c.Status = oauth.Pending
	}
	if m.method == oauth.AuthNone {
		if c.Fingerprint, err = m.fingerprint(); err != nil {
			return oauth.Client{}, fmt.Errorf("fingerprint metadata: %w", err)
		}
	}
	return c, nil
}

// registrationAnswer is the effective metadata with id and secret; members without a value are absent, since strict
// clients refuse null.
func registrationAnswer(c oauth.Client, secret string) (map[string]any, error) {
	answer := map[string]any{}
	if err := json.Unmarshal(c.Metadata, &answer); err != nil {
		return nil, fmt.Errorf("read stored metadata: %w", err)
	}
	answer["client_id"] = c.ID
	answer["client_id_issued_at"] = c.Created.Unix()
	if secret != "" {
		answer["client_secret"] = secret
		answer["client_secret_expires_at"] = 0
	}
	return answer, nil
}

func tooMany(after time.Duration) *oauth.Error {
	return &oauth.Error{
		Code: oauth.TemporarilyUnavailable, Status: http.StatusTooManyRequests, RetryAfter: after,
		Description: "too many registrations, try again later",
	}
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}

// bucket limits registrations of everybody together: hosted clients share addresses, so that a limit per address would
// hit them first. The zero value is full.
type bucket struct {
	mu   sync.Mutex
	used float64
	last time.Time
}

func (b *bucket) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if passed := now.Sub(b.last); passed > 0 {
		b.used = max(0, b.used-passed.Seconds()*bucketRate)
		b.last = now
	}
	if b.used+1 > bucketBurst {
		return false
	}
	b.used++
	return true
}
