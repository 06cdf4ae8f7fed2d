package grants

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	failuresPerMinute = 30
	maxFailures       = 50_000
)

// presented is how a client says who it is.
type presented struct {
	id, secret string
	method     string // oauth.AuthNone, AuthBasic, AuthPost
}

// authenticate is check 3 of oauth.md §9.1: exactly one way, and the registered one. It sets req.client.
func (h *Handler) authenticate(r *http.Request, req *request) error {
	p, err := present(r, req)
	if err != nil {
		return err
	}
	client, err := h.Clients.TokenClient(r.Context(), p.id)
	switch {
	case errors.Is(err, oauth.ErrNotFound):
		return invalidClient("unknown client")
	case err != nil:
		return fmt.Errorf("find client: %w", err)
	}
	if client.Public() {
		if p.method != oauth.AuthNone {
			return invalidClient("public client presented a secret")
		}
		req.client = client
		return nil
	}
	key := client.ID + " " + addressOf(r)
	if h.failures.over(key, h.now()) {
		return &oauth.Error{
			Code: oauth.TemporarilyUnavailable, Status: http.StatusTooManyRequests, RetryAfter: time.Minute,
			Description: "too many failed attempts",
		}
	}
	if reason := checkSecret(&client, p); reason != "" {
		h.failures.add(key, h.now())
		return invalidClient(reason)
	}
	req.client = client
	return nil
}

func invalidClient(reason string) *oauth.Error {
	return &oauth.Error{Code: oauth.InvalidClient, Description: "client authentication failed", Err: errors.New(reason)}
}

// checkSecret returns why a confidential client is not who it says; "" when it is.
func checkSecret(c *oauth.Client, p presented) string {
	switch {
	case p.method == oauth.AuthNone:
		return "confidential client presented no secret"
	case c.AuthMethod != "" && c.AuthMethod != p.method:
		return "secret presented in another way than registered"
	}
	sum := sha256.Sum256([]byte(p.secret))
	if subtle.ConstantTimeCompare(sum[:], c.SecretHash) != 1 {
		return "wrong secret"
	}
	return ""
}

// present reads how the client authenticates. Two ways at once are refused: which one counts would be anybody's guess.
func present(r *http.Request, req *request) (presented, error) {
	id, secret, assertion := req.get("client_id"), req.get("client_secret"), req.get("client_assertion")
	headers := r.Header["Authorization"]
	ways := 0
	for _, there := range []bool{len(headers) > 0, secret != "", assertion != ""} {
		if there {
			ways++
		}
	}
	switch {
	case ways > 1 || len(headers) > 1:
		return presented{}, refuse(oauth.InvalidRequest, "authenticate in one way only")
	case assertion != "":
		return presented{}, invalidClient("client assertions are not taken")
	case len(headers) == 1:
		p, ok := basic(r)
		if !ok {
			return presented{}, invalidClient("malformed Authorization header")
		}
		if id != "" && id != p.id {
			return presented{}, refuse(oauth.InvalidRequest, "client_id and Authorization name different clients")
		}
		return p, nil
	case id == "":
		return presented{}, invalidClient("no client authentication")
	case secret != "":
		return presented{id: id, secret: secret, method: oauth.AuthPost}, nil
	}
	return presented{id: id, method: oauth.AuthNone}, nil
}

// basic reads HTTP Basic; id and secret are form-encoded inside (RFC 6749 §2.3.1).
func basic(r *http.Request) (presented, bool) {
	user, pass, ok := r.BasicAuth()
	if !ok {
		return presented{}, false
	}
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	return presented{id: id, secret: secret, method: oauth.AuthBasic}, err1 == nil && err2 == nil && id != ""
}

func addressOf(r *http.Request) string {
	if req := identity.RequestFrom(r.Context()); req != nil && req.IP != "" {
		return req.IP
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// failures counts failed authentications of known confidential clients by client and address (oauth.md §17).
type failures struct {
	mu    sync.Mutex
	byKey map[string]window
}

type window struct {
	since time.Time
	count int
}

func (w window) at(now time.Time) window {
	if age := now.Sub(w.since); age < 0 || age >= time.Minute {
		return window{since: now}
	}
	return w
}

func (f *failures) over(key string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byKey[key].at(now).count >= failuresPerMinute
}

func (f *failures) add(key string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byKey == nil || len(f.byKey) >= maxFailures {
		f.byKey = map[string]window{} // forgetting is cheaper than being filled by strangers
	}
	w := f.byKey[key].at(now)
	w.count++
	f.byKey[key] = w
}
