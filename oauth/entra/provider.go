package entra

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// Options are what a provider needs beside its configuration.
type Options struct {
	PublicURL string // origin of this gateway; the redirect URI is {PublicURL}/oauth/callback
	// Client sends requests to the provider; nil: one with a timeout of 10 s that follows no redirect. The provider's
	// address is the operator's word, so no guard is needed; caps on time and size are set here all the same.
	Client *http.Client
	Log    *slog.Logger // nil: discarded
	Now    func() time.Time
	// Env reads the process's environment, where the platform says how workload and managed identities get their token;
	// nil: there is none.
	Env func(name string) string
	// NeedGroups says that some rule names a group (sign_in.entra.groups: auto).
	NeedGroups bool
}

const (
	requestTimeout = 10 * time.Second
	maxBody        = 256 << 10
	maxClaims      = 10
)

// New makes the provider that cfg chooses. Secrets of cfg are resolved already.
func New(cfg Config, o Options) (oauth.Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	switch cfg.Provider {
	case "entra":
		return newEntra(cfg.Entra, o)
	case "oidc":
		return newOIDC(cfg.OIDC, o)
	case "dev":
		return NewDev(cfg.Dev, o)
	}
	return nil, fmt.Errorf("provider %q is not known", cfg.Provider)
}

func (o Options) withDefaults() Options {
	if o.Client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxResponseHeaderBytes = 64 << 10
		o.Client = &http.Client{Transport: transport, Timeout: requestTimeout}
	}
	client := *o.Client
	client.Transport = capped{next: client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.Client = &client
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Env == nil {
		o.Env = func(string) string { return "" }
	}
	return o
}

func (o Options) redirectURI() string { return o.PublicURL + "/oauth/callback" }

// unavailable is the answer to every trouble that may pass: nobody is refused for it.
func unavailable(err error) *oauth.Error {
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the identity provider cannot be reached", Err: err}
}

var errTooLarge = errors.New("answer is too large")
