package entra

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// DevSignInPath is the page where one picks a person.
const DevSignInPath = "/oauth/dev/sign-in"

const (
	devCodeLife = time.Minute
	maxDevCodes = 1000
)

// Dev is a provider without passwords, for trying things out: a page lists people, a click signs in. Everything behind
// the click is the same as with a real provider: a one-time code to the callback, bound to state and nonce.
type Dev struct {
	people []Person
	o      Options

	mu    sync.Mutex
	codes map[[32]byte]devCode // by SHA-256 of the code
}

type devCode struct {
	person, state string
	expires       time.Time
}

// NewDev makes the development provider. It refuses unless publicURL is a loopback address: anybody who reaches its page
// can be anybody.
func NewDev(cfg DevConfig, o Options) (*Dev, error) {
	o = o.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(o.PublicURL)
	if err != nil || !isLoopback(u.Hostname()) {
		return nil, errors.New("sign_in.provider: dev works only with a loopback public_url")
	}
	return &Dev{people: cfg.People, o: o, codes: map[[32]byte]devCode{}}, nil
}

// People lists who can be picked.
func (d *Dev) People() []oauth.Identity {
	out := make([]oauth.Identity, len(d.people))
	for i, p := range d.people {
		out[i] = d.identity(p)
	}
	return out
}

// Issue makes a one-time code for the person with this subject, good for the transaction with this upstream state.
func (d *Dev) Issue(state, subject string) (string, error) {
	p, ok := d.find(subject)
	if !ok || state == "" {
		return "", oauth.ErrNotFound
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	code := base64.RawURLEncoding.EncodeToString(raw)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	for k, c := range d.codes {
		if now.After(c.expires) {
			delete(d.codes, k)
		}
	}
	if len(d.codes) >= maxDevCodes {
		return "", unavailable(errors.New("too many sign-ins at once"))
	}
	d.codes[sha256.Sum256([]byte(code))] = devCode{person: p.Name, state: state, expires: now.Add(devCodeLife)}
	return code, nil
}

// Tenants implements oauth.Provider.
func (d *Dev) Tenants() []oauth.Tenant { return nil }

// Issuer implements oauth.Provider.
func (d *Dev) Issuer(*oauth.Transaction) string { return d.o.PublicURL }

// AuthURL implements oauth.Provider.
func (d *Dev) AuthURL(_ context.Context, t *oauth.Transaction, _ oauth.AuthOptions) (string, error) {
	return d.o.PublicURL + DevSignInPath + "?" + url.Values{"state": {t.UpstreamState}}.Encode(), nil
}

// Exchange implements oauth.Provider. A code is taken, not read: it works once, for its own transaction.
func (d *Dev) Exchange(_ context.Context, t *oauth.Transaction, code string) (oauth.Identity, oauth.Upstream, error) {
	key := sha256.Sum256([]byte(code))
	d.mu.Lock()
	c, ok := d.codes[key]
	delete(d.codes, key)
	d.mu.Unlock()
	now := d.o.Now()
	if !ok || c.state != t.UpstreamState || now.After(c.expires) {
		return oauth.Identity{}, oauth.Upstream{}, notVerified(errors.New("code is unknown, expired or of another sign-in"))
	}
	p, ok := d.find("dev/" + c.person)
	if !ok {
		return oauth.Identity{}, oauth.Upstream{}, notVerified(errors.New("person is gone"))
	}
	return d.identity(p), oauth.Upstream{Tenant: "dev", Checked: now.UTC()}, nil
}

// Refresh implements oauth.Provider: the configuration is asked again.
func (d *Dev) Refresh(_ context.Context, id oauth.Identity, u oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	p, ok := d.find(id.Subject)
	if !ok {
		return id, u, &oauth.Error{Code: oauth.InvalidGrant, Description: "sign in again", Err: errors.New("person is gone")}
	}
	next := d.identity(p)
	next.AuthTime = id.AuthTime
	u.Checked = d.o.Now().UTC()
	return next, u, nil
}

// MapError implements oauth.Provider. Our own page sends none; somebody else's would be refused like any other.
func (d *Dev) MapError(code, description string) *oauth.Error {
	return newRefusal(code, description).signInError("this computer")
}

func (d *Dev) find(subject string) (Person, bool) {
	for _, p := range d.people {
		if "dev/"+p.Name == subject {
			return p, true
		}
	}
	return Person{}, false
}

func (d *Dev) identity(p Person) oauth.Identity {
	return oauth.Identity{Subject: "dev/" + p.Name, Tenant: "dev", Name: p.Name, Login: p.Name,
		Roles: sorted(p.Roles), Groups: sorted(p.Groups), Claims: p.Claims, AuthTime: d.o.Now().UTC().Truncate(time.Second)}
}
