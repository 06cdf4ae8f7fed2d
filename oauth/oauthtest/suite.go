package oauthtest

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// NewStore returns an empty store for one test; it registers its own clean-up.
type NewStore func(t *testing.T) oauth.Store

// RunStore runs the suite of every interface.
func RunStore(t *testing.T, newStore NewStore) {
	t.Run("clients", func(t *testing.T) { RunClientStore(t, newStore) })
	t.Run("transactions", func(t *testing.T) { RunTransactionStore(t, newStore) })
	t.Run("codes", func(t *testing.T) { RunCodeStore(t, newStore) })
	t.Run("grants", func(t *testing.T) { RunGrantStore(t, newStore) })
	t.Run("refresh tokens", func(t *testing.T) { RunRefreshStore(t, newStore) })
	t.Run("sessions", func(t *testing.T) { RunSessionStore(t, newStore) })
	t.Run("sweep", func(t *testing.T) { RunSweep(t, newStore) })
}

// suiteNow is when the suites play. Stores keep milliseconds, so it has no more.
var suiteNow = time.Date(2026, 11, 20, 12, 0, 0, 123_000_000, time.UTC)

// contenders is how many callers compete where exactly one may win.
const contenders = 50

// compete calls the same thing from many goroutines at once and returns how many succeeded. All others must get want.
func compete(t *testing.T, want error, call func(i int) error) (won int) {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	results := make([]error, contenders)
	for i := range contenders {
		wg.Go(func() {
			<-start
			results[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, want):
			t.Errorf("a loser got %v, want %v", err, want)
		}
	}
	return won
}

// must fails the test at once: what follows would only repeat the fault.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// wantSame compares records as stores may keep them: times by the instant, empty lists like absent ones.
func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := difference(what, reflect.ValueOf(got), reflect.ValueOf(want)); diff != "" {
		t.Error(diff)
	}
}

func difference(path string, got, want reflect.Value) string {
	if !got.IsValid() || !want.IsValid() {
		if got.IsValid() == want.IsValid() {
			return ""
		}
		return path + " is there on one side only"
	}
	if a, ok := got.Interface().(time.Time); ok {
		if b := want.Interface().(time.Time); !a.Equal(b) {
			return fmt.Sprintf("%s = %s, want %s", path, a, b)
		}
		return ""
	}
	switch want.Kind() {
	case reflect.Struct:
		for i := range want.NumField() {
			if diff := difference(path+"."+want.Type().Field(i).Name, got.Field(i), want.Field(i)); diff != "" {
				return diff
			}
		}
		return ""
	case reflect.Pointer:
		return difference(path, got.Elem(), want.Elem())
	case reflect.Slice, reflect.Map:
		if got.Len() == 0 && want.Len() == 0 {
			return ""
		}
	}
	if !reflect.DeepEqual(got.Interface(), want.Interface()) {
		return fmt.Sprintf("%s = %v, want %v", path, got.Interface(), want.Interface())
	}
	return ""
}

// The records of the suites have a value in every field, so that a store that forgets one is found out.

func suiteClient(id string) oauth.Client {
	return oauth.Client{
		ID: id, Kind: oauth.Registered, Status: oauth.Approved, Name: "A client ✓", Host: "client.example.com",
		RedirectURIs: []string{"http://127.0.0.1/cb", "app://cb"}, AuthMethod: "client_secret_basic", SecretHash: []byte{1, 2, 0xff},
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "mcp:orders", Metadata: []byte(`{"a":"<b>"}`),
		Fingerprint: "fp-" + id, Servers: []string{"orders"}, Roles: []string{"Orders.Read"}, Created: suiteNow,
	}
}

func suiteIdentity(subject string) oauth.Identity {
	return oauth.Identity{
		Subject: subject, Tenant: "t1", Name: "Älice", Login: "alice@example.com", Guest: true, Roles: []string{"a", "b"},
		Groups: []string{"g"}, Claims: map[string]any{"department": "sales", "level": 3.0}, AuthTime: suiteNow, SID: "sid",
	}
}

func suiteUpstream(text string) *oauth.Upstream {
	return &oauth.Upstream{Tenant: "t1", AccessToken: "at-" + text, RefreshToken: "rt-" + text, Expires: suiteNow.Add(time.Hour), Checked: suiteNow}
}

func suiteTransaction(id string) oauth.Transaction {
	return oauth.Transaction{
		ID: id, Status: oauth.AtProvider, Client: suiteClient("c1"), RedirectURI: "http://127.0.0.1:7/cb", ClientState: "s\x00s", HasState: true,
		CodeChallenge: "challenge", Scopes: []string{"mcp:orders"}, Resource: "https://gw/mcp/orders", Tenant: "t1", UpstreamState: "up-" + id,
		Nonce: "nonce", Verifier: "verifier-" + id, BindingHash: []byte{9, 8, 7}, Created: suiteNow, Expires: suiteNow.Add(10 * time.Minute),
		Portal: true, ReturnTo: "/admin",
	}
}

func suiteGrant(id, subject string) oauth.Grant {
	return oauth.Grant{
		ID: id, ClientID: "c1", Client: "A client", Identity: suiteIdentity(subject), Resource: "https://gw/mcp/orders",
		Scopes: []string{"mcp:orders"}, Upstream: suiteUpstream(id), Created: suiteNow, Expires: suiteNow.Add(720 * time.Hour),
	}
}

func suiteCode(hash, grantID string) oauth.Code {
	return oauth.Code{
		Hash: hash, GrantID: grantID, ClientID: "c1", RedirectURI: "http://127.0.0.1:7/cb", CodeChallenge: "challenge",
		Resource: "https://gw/mcp/orders", Scopes: []string{"mcp:orders"}, Expires: suiteNow.Add(time.Minute),
	}
}

func suiteRefresh(id, grantID string, generation int) oauth.RefreshToken {
	return oauth.RefreshToken{
		ID: id, SecretHash: "hash-" + id, GrantID: grantID, ClientID: "c1", Resource: "https://gw/mcp/orders", Generation: generation,
		Created: suiteNow, Expires: suiteNow.Add(720 * time.Hour),
	}
}

// finish brings a sign-in to its end, which is the only way a grant comes to be.
func finish(t *testing.T, s oauth.Store, g oauth.Grant) oauth.Code {
	t.Helper()
	tx := suiteTransaction("tx-" + g.ID)
	must(t, s.PutTransaction(t.Context(), tx, 1000))
	tx.Status = oauth.Consenting
	must(t, s.SwapTransaction(t.Context(), oauth.AtProvider, tx))
	code := suiteCode("code-"+g.ID, g.ID)
	must(t, s.Finish(t.Context(), tx, g, code))
	return code
}
