package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// exchangeAudience is what a managed identity's token must be for to stand in for a client secret.
const exchangeAudience = "api://AzureADTokenExchange"

// tokenAhead is how long before its end a cached token is replaced.
const tokenAhead = 5 * time.Minute

// instanceMetadata is the link-local address of Azure's metadata service; it exists on Azure machines only.
const instanceMetadata = "http://169.254.169.254/metadata/identity/oauth2/token"

// managedIdentity asks the platform for a token and uses it as client assertion.
type managedIdentity struct {
	endpoint string
	query    url.Values
	header   [2]string // name, value
	client   *http.Client
	now      func() time.Time

	mu      sync.Mutex
	token   string
	expires time.Time
}

// newManagedIdentity uses the endpoint that App Service and Container Apps name in the environment, else that of the
// machine. id is "system" or the client ID of a user-assigned identity.
func newManagedIdentity(id string, o Options) *managedIdentity {
	m := &managedIdentity{endpoint: instanceMetadata, query: url.Values{"resource": {exchangeAudience}, "api-version": {"2018-02-01"}},
		header: [2]string{"Metadata", "true"}, client: o.Client, now: o.Now}
	if endpoint := o.Env("IDENTITY_ENDPOINT"); endpoint != "" && o.Env("IDENTITY_HEADER") != "" {
		m.endpoint, m.header = endpoint, [2]string{"X-IDENTITY-HEADER", o.Env("IDENTITY_HEADER")}
		m.query.Set("api-version", "2019-08-01")
	}
	if m.endpoint == instanceMetadata { // link-local: a proxy would be another machine
		direct := http.DefaultTransport.(*http.Transport).Clone()
		direct.Proxy = nil
		m.client = &http.Client{Transport: capped{next: direct}, Timeout: requestTimeout}
	}
	if id != "system" {
		m.query.Set("client_id", id)
	}
	return m
}

func (m *managedIdentity) attach(ctx context.Context, form url.Values, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == "" || !m.now().Before(m.expires.Add(-tokenAhead)) {
		if err := m.fetch(ctx); err != nil {
			return fmt.Errorf("managed identity: %w", err)
		}
	}
	assert(form, m.token)
	return nil
}

func (m *managedIdentity) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.endpoint+"?"+m.query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set(m.header[0], m.header[1])
	resp, err := m.client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var a struct {
		Token   string      `json:"access_token"`
		Expires json.Number `json:"expires_on"` // seconds since 1970, as a text or a number
	}
	if json.Unmarshal(raw, &a) != nil || a.Token == "" {
		return errors.New("answer has no token")
	}
	at, err := a.Expires.Int64()
	if err != nil {
		return errors.New("answer has no expiry")
	}
	m.token, m.expires = a.Token, time.Unix(at, 0)
	return nil
}
