package registration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const documentID = "https://claude.ai/oauth/mcp-oauth-client-metadata"

// fetcher answers with one document, or fails.
type fetcher struct {
	mu     sync.Mutex
	body   string
	header http.Header
	err    error
	calls  int
	limits egress.Limits
	gate   chan struct{}
}

func (f *fetcher) Fetch(_ context.Context, _ string, l egress.Limits) (*egress.Response, error) {
	f.mu.Lock()
	f.calls++
	f.limits = l
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		<-gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	return &egress.Response{Status: http.StatusOK, Header: f.header, Body: []byte(f.body)}, nil
}

type answered int

func (a answered) Error() string   { return fmt.Sprint("status ", int(a)) }
func (a answered) StatusCode() int { return int(a) }

type documentRig struct {
	now      time.Time
	cfg      oauth.Config
	store    *oauthtest.Memory
	fetcher  *fetcher
	resolver *registration.Resolver
}

func goodDocument(id string) string {
	return `{"client_id":"` + id + `","client_name":"Claude","redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],"token_endpoint_auth_method":"none"}`
}

func newDocumentRig() *documentRig {
	r := &documentRig{
		now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), store: &oauthtest.Memory{},
		fetcher: &fetcher{body: goodDocument(documentID), header: http.Header{"Content-Type": {"application/json"}}},
	}
	r.cfg = oauth.Config{
		Registration: oauth.Open, ClientDocuments: oauth.Open,
		Clients: []oauth.ClientConfig{{ID: "vscode", RedirectURIs: []string{"http://127.0.0.1/"}}, {ID: "https://set.example/up", RedirectURIs: []string{"https://set.example/cb"}}},
	}
	clock := func() time.Time { return r.now }
	r.resolver = &registration.Resolver{
		Config: func() *oauth.Config { return &r.cfg }, Clients: r.store, Now: clock,
		Documents: &registration.Documents{Fetcher: r.fetcher, OwnHost: "gw.example.com", Now: clock, LeastFailure: -1},
	}
	return r
}

func wantRefused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var e *registration.DocumentError
	if !errors.As(err, &e) || e.Status != status || !strings.Contains(e.Text, text) {
		t.Fatalf("err = %v, want %d %q", err, status, text)
	}
}

func TestADocumentBecomesAClient(t *testing.T) {
	r := newDocumentRig()
	c, err := r.resolver.Client(t.Context(), documentID)
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != documentID || c.Kind != oauth.Document || c.Status != oauth.Approved || c.Name != "Claude" || c.Host != "claude.ai" || !c.Public() ||
		c.AuthMethod != oauth.AuthNone || len(c.RedirectURIs) != 2 || !c.Grants(oauth.GrantRefreshToken) {
		t.Errorf("client = %+v", c)
	}
	if l := r.fetcher.limits; l.Bytes != 5<<10 || l.Time != 5*time.Second || l.Redirects >= 0 || l.Accept != "application/json" {
		t.Errorf("limits = %+v", l) // rows 91, 92
	}
	if _, err := r.resolver.Client(t.Context(), documentID); err != nil || r.fetcher.calls != 1 {
		t.Errorf("second look = %v after %d fetches", err, r.fetcher.calls)
	}
}

func TestDocumentAddressesThatAreNotFetched_87(t *testing.T) {
	for _, id := range []string{
		"https://claude.ai", "https://claude.ai/", "https://claude.ai/x#f", "https://u@claude.ai/x", "https://u:p@claude.ai/x",
		"https://claude.ai/a/../b", "https://claude.ai/./b", "https://claude.ai/a/%2e%2e/b", "https://claude.ai/%2E/b", "https://claude.ai:8443/x",
		"https://claude.ai/" + strings.Repeat("a", 4096), "https://gw.example.com/x", "https://GW.example.com/x", "https://127.0.0.1/x", "https://[::1]/x",
		"https://2130706433/x", "https://0x7f.1/x", "https://10.0.0.0x1/x", "https://localhost/x", "https://a.localhost/x", "https://intranet/x",
		"https://claude.ai./x", "https://claude..ai/x", "https://b\u00fccher.example/x", "https://claude.ai/x y", "https://claude.ai\\@evil.test/x", "https://cl_aude.ai/x",
		"https://claude.ai:/x", "https:///x", "https://?x",
	} {
		t.Run(id[:min(len(id), 40)], func(t *testing.T) {
			r := newDocumentRig()
			_, err := r.resolver.Client(t.Context(), id)
			wantRefused(t, err, http.StatusBadRequest, "")
			if r.fetcher.calls != 0 {
				t.Error("something was fetched")
			}
		})
	}
	r := newDocumentRig()
	for _, id := range []string{"http://claude.ai/x", "HTTPS://claude.ai/x", "ftp://claude.ai/x", "dcr_short", "nobody", "", "dcr_aaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if _, err := r.resolver.Client(t.Context(), id); !errors.Is(err, oauth.ErrNotFound) {
			t.Errorf("Client(%q) = %v, want not found", id, err)
		}
	}
	for _, id := range []string{"https://claude.ai:443/x?y=1", "https://chatgpt.com/oauth/abc/client.json"} {
		r.fetcher.body = goodDocument(id)
		if _, err := r.resolver.Client(t.Context(), id); err != nil {
			t.Errorf("Client(%q) = %v", id, err)
		}
	}
}

func TestDocumentsThatCannotBeUsed_88_92_93(t *testing.T) {
	document := func(members string) string {
		return `{"client_id":"` + documentID + `","client_name":"C","redirect_uris":["https://claude.ai/cb"]` + members + `}`
	}
	for name, tc := range map[string]struct{ body, contentType, encoding, text string }{
		"88 other client_id":   {body: goodDocument("https://claude.ai/other"), text: "its client_id is another address"},
		"88 slash":             {body: goodDocument(documentID + "/"), text: "its client_id is another address"},
		"88 no client_id":      {body: `{"client_name":"C","redirect_uris":["https://claude.ai/cb"]}`, text: "its client_id is another address"},
		"92 HTML":              {body: "<html>", contentType: "text/html", text: "it could not be fetched"},
		"92 no type":           {body: goodDocument(documentID), contentType: " ", text: "it could not be fetched"},
		"92 gzip":              {body: goodDocument(documentID), encoding: "gzip", text: "it could not be fetched"},
		"not JSON":             {body: "{", text: "it is not valid JSON"},
		"repeated key":         {body: document(`,"client_name":"D"`), text: "it is not valid JSON"},
		"null member":          {body: document(`,"logo_uri":null`), text: "not possible here"},
		"no name":              {body: `{"client_id":"` + documentID + `","redirect_uris":["https://claude.ai/cb"]}`, text: "not possible here"},
		"93 secret":            {body: document(`,"client_secret":"x"`), text: "not possible here"},
		"93 secret expiry":     {body: document(`,"client_secret_expires_at":0`), text: "not possible here"},
		"93 secret method":     {body: document(`,"token_endpoint_auth_method":"client_secret_post"`), text: "not possible here"},
		"93 private_key_jwt":   {body: document(`,"token_endpoint_auth_method":"private_key_jwt"`), text: "not possible here"},
		"no redirect":          {body: `{"client_id":"` + documentID + `","client_name":"C","redirect_uris":[]}`, text: "it allows no redirect address"},
		"redirect not allowed": {body: `{"client_id":"` + documentID + `","client_name":"C","redirect_uris":["javascript:x"]}`, text: "it allows no redirect address"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDocumentRig()
			r.fetcher.body = tc.body
			if tc.contentType != "" {
				r.fetcher.header.Set("Content-Type", strings.TrimSpace(tc.contentType))
			}
			if tc.encoding != "" {
				r.fetcher.header.Set("Content-Encoding", tc.encoding)
			}
			_, err := r.resolver.Client(t.Context(), documentID)
			wantRefused(t, err, http.StatusBadRequest, tc.text)
		})
	}
}

func TestAChangedDocumentIsSeenByTheNextAuthorization_94(t *testing.T) {
	r := newDocumentRig()
	before, err := r.resolver.Client(t.Context(), documentID)
	if err != nil {
		t.Fatal(err)
	}
	r.fetcher.body = strings.Replace(r.fetcher.body, "http://localhost/callback", "https://claude.ai/new", 1)
	r.now = r.now.Add(time.Minute)
	after, err := r.resolver.Client(t.Context(), documentID)
	if err != nil || after.RedirectURIs[0] != "https://claude.ai/new" || before.RedirectURIs[0] != "http://localhost/callback" {
		t.Errorf("before %v, after %v, %v", before.RedirectURIs, after.RedirectURIs, err)
	}
}

func TestAllFetchFailuresLookTheSameAndTakeTheSameTime_95(t *testing.T) {
	var texts []string
	for _, fault := range []error{errors.New("connection refused"), context.DeadlineExceeded, answered(404), &egress.Error{Feature: "client", Cause: errors.New("blocked address")}} {
		synctest.Test(t, func(t *testing.T) {
			r := newDocumentRig()
			r.fetcher.err = fault
			r.resolver.Documents.LeastFailure, r.resolver.Documents.Now = 0, nil
			start := time.Now()
			_, err := r.resolver.Client(t.Context(), documentID)
			wantRefused(t, err, http.StatusBadRequest, "it could not be fetched")
			var e *registration.DocumentError
			errors.As(err, &e)
			texts = append(texts, e.Text)
			if took := time.Since(start); took != 300*time.Millisecond {
				t.Errorf("%v took %s", fault, took)
			}
		})
	}
	for _, text := range texts {
		if text != texts[0] {
			t.Errorf("texts differ: %v", texts)
		}
	}
}

func TestHowLongADocumentCounts_96(t *testing.T) {
	for name, tc := range map[string]struct {
		cache, age string
		fresh      time.Duration
	}{
		"none": {"", "", time.Minute}, "no-store": {"no-store, max-age=3600", "", time.Minute}, "no-cache": {"no-cache", "", time.Minute},
		"short": {"max-age=1", "", time.Minute}, "hour": {"public, max-age=3600", "", time.Hour}, "quoted": {`max-age="3600"`, "", time.Hour},
		"ten years": {"max-age=315360000", "", 24 * time.Hour}, "overflow": {"max-age=99999999999999999999999", "", 24 * time.Hour},
		"age": {"max-age=3600", "1800", 30 * time.Minute}, "old": {"max-age=3600", "7200", time.Minute}, "rubbish": {"max-age=x", "", time.Minute},
		"negative": {"max-age=-1", "", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDocumentRig()
			r.fetcher.header.Set("Cache-Control", tc.cache)
			r.fetcher.header.Set("Age", tc.age)
			look := func() int {
				if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
					t.Fatal(err)
				}
				return r.fetcher.calls
			}
			look()
			r.now = r.now.Add(tc.fresh - time.Second)
			if n := look(); n != 1 {
				t.Errorf("fetched again after %s", tc.fresh-time.Second)
			}
			r.now = r.now.Add(time.Second)
			if n := look(); n != 2 {
				t.Errorf("not fetched again after %s", tc.fresh)
			}
		})
	}
}

func TestAFailureIsRememberedFor30Seconds_96(t *testing.T) {
	r := newDocumentRig()
	r.fetcher.err = errors.New("down")
	for range 3 {
		_, err := r.resolver.Client(t.Context(), documentID)
		wantRefused(t, err, http.StatusBadRequest, "it could not be fetched")
	}
	if r.fetcher.calls != 1 {
		t.Errorf("%d fetches", r.fetcher.calls)
	}
	r.fetcher.err = nil
	r.now = r.now.Add(30 * time.Second)
	if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
		t.Error(err)
	}
}

func TestAKnownGoodDocumentOutlivesAnOutageOfItsServer(t *testing.T) {
	r := newDocumentRig()
	if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
		t.Fatal(err)
	}
	r.fetcher.err = answered(503)
	for _, pass := range []time.Duration{time.Minute, 12 * time.Hour, 11 * time.Hour} {
		r.now = r.now.Add(pass)
		if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
			t.Errorf("after %s: %v", pass, err)
		}
	}
	r.now = r.now.Add(time.Hour)
	_, err := r.resolver.Client(t.Context(), documentID)
	wantRefused(t, err, http.StatusBadRequest, "it could not be fetched")
}

func TestAWithdrawnDocumentIsGoneAtOnce(t *testing.T) {
	for name, fault := range map[string]error{"404": answered(404), "redirect": answered(302)} {
		r := newDocumentRig()
		if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
			t.Fatal(err)
		}
		r.fetcher.err = fmt.Errorf("fetch: %w", fault)
		r.now = r.now.Add(time.Minute)
		if _, err := r.resolver.Client(t.Context(), documentID); err == nil {
			t.Errorf("%s: the old document still counts", name)
		}
	}
}

func TestAFloodOfAddressesIsLimited_97(t *testing.T) {
	r := newDocumentRig()
	r.fetcher.err = errors.New("down")
	from := func(ip string) context.Context { return identity.WithRequest(t.Context(), &identity.Request{IP: ip}) }
	for i := range 20 {
		_, err := r.resolver.Client(from("192.0.2.1"), fmt.Sprintf("https://h%d.example/x", i))
		wantRefused(t, err, http.StatusBadRequest, "")
	}
	_, err := r.resolver.Client(from("192.0.2.1"), "https://h21.example/x")
	wantRefused(t, err, http.StatusTooManyRequests, "")
	if e := (*registration.DocumentError)(nil); !errors.As(err, &e) || e.RetryAfter <= 0 {
		t.Errorf("no Retry-After: %v", err)
	}
	_, err = r.resolver.Client(from("192.0.2.1"), "https://h0.example/x") // cached answers do not count
	wantRefused(t, err, http.StatusBadRequest, "")
	_, err = r.resolver.Client(from("192.0.2.2"), "https://h21.example/x") // others are not punished
	wantRefused(t, err, http.StatusBadRequest, "")
	if r.fetcher.calls != 21 {
		t.Errorf("%d fetches", r.fetcher.calls)
	}
}

func TestOneFetchServesEverybodyWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newDocumentRig()
		r.fetcher.gate = make(chan struct{})
		gone, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.resolver.Client(gone, documentID); err == nil {
				t.Error("the one who left got an answer")
			}
		})
		synctest.Wait()
		for range 5 {
			wg.Go(func() {
				if _, err := r.resolver.Client(t.Context(), documentID); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(r.fetcher.gate)
		wg.Wait()
		if r.fetcher.calls != 1 {
			t.Errorf("%d fetches", r.fetcher.calls)
		}
	})
}

func TestHostsAndModesOfDocuments_98(t *testing.T) {
	for name, tc := range map[string]struct {
		hosts []string
		mode  string
		ok    bool
	}{
		"listed": {[]string{"x.example", "claude.ai"}, oauth.Open, true}, "not listed": {[]string{"x.example"}, oauth.Open, false},
		"wildcard is below": {[]string{"*.claude.ai"}, oauth.Open, false}, "wildcard above": {[]string{"*.ai"}, oauth.Open, true},
		"suffix is no label": {[]string{"*.aude.ai"}, oauth.Open, false}, "closed": {nil, oauth.Closed, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newDocumentRig()
			r.cfg.ClientDocumentHosts, r.cfg.ClientDocuments = tc.hosts, tc.mode
			_, err := r.resolver.Client(t.Context(), documentID)
			if tc.ok {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantRefused(t, err, http.StatusForbidden, "not accepted here")
			if r.fetcher.calls != 0 {
				t.Error("something was fetched")
			}
		})
	}
}

func TestADocumentThatNeedsApproval_21(t *testing.T) {
	r := newDocumentRig()
	r.cfg.ClientDocuments = oauth.Approve
	for range 3 {
		if c, err := r.resolver.Client(t.Context(), documentID); err != nil || c.Status != oauth.Pending {
			t.Fatalf("client = %+v, %v", c, err)
		}
	}
	stored, err := r.store.Client(t.Context(), documentID)
	if err != nil || r.store.ClientCount() != 1 {
		t.Fatal(stored, err)
	}
	r.cfg.ClientDocuments = oauth.Open // where all are welcome nobody waits
	for name, find := range map[string]func(context.Context, string) (oauth.Client, error){"authorize": r.resolver.Client, "token": r.resolver.TokenClient} {
		if c, err := find(t.Context(), documentID); err != nil || c.Status != oauth.Approved {
			t.Errorf("%s in mode open: %+v, %v", name, c, err)
		}
	}
	r.cfg.ClientDocuments = oauth.Approve
	stored.Status = oauth.Approved
	if err := r.store.PutClient(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if c, err := r.resolver.Client(t.Context(), documentID); err != nil || c.Status != oauth.Approved {
		t.Errorf("client = %+v, %v", c, err)
	}
	r.fetcher.body = strings.Replace(r.fetcher.body, "http://localhost/callback", "https://elsewhere.example/cb", 1)
	r.now = r.now.Add(time.Minute)
	if c, err := r.resolver.Client(t.Context(), documentID); err != nil || c.Status != oauth.Pending {
		t.Errorf("other redirect hosts: client = %+v, %v", c, err)
	}
}

func TestABlockedDocumentStaysBlocked(t *testing.T) {
	r := newDocumentRig()
	if err := r.store.PutClient(t.Context(), oauth.Client{ID: documentID, Kind: oauth.Document, Status: oauth.Blocked}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{oauth.Open, oauth.Approve} {
		r.cfg.ClientDocuments = mode
		for name, find := range map[string]func(context.Context, string) (oauth.Client, error){"authorize": r.resolver.Client, "token": r.resolver.TokenClient} {
			if c, err := find(t.Context(), documentID); err != nil || c.Status != oauth.Blocked {
				t.Errorf("%s, %s: %+v, %v", mode, name, c, err)
			}
		}
	}
	if blocked, err := r.resolver.Blocked(t.Context(), documentID); err != nil || !blocked {
		t.Errorf("Blocked = %v, %v", blocked, err)
	}
}

func TestKindsAreNeverMixed(t *testing.T) {
	r := newDocumentRig()
	for _, id := range []string{"vscode", "https://set.example/up"} {
		if c, err := r.resolver.Client(t.Context(), id); err != nil || c.Kind != oauth.Preregistered {
			t.Errorf("Client(%q) = %+v, %v", id, c, err)
		}
	}
	if r.fetcher.calls != 0 {
		t.Error("a configured id was fetched")
	}
	// A record of another kind under a registered id, or a registered record under an https id, is not found.
	registered := "dcr_aaaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, c := range []oauth.Client{{ID: registered, Kind: oauth.Document}, {ID: documentID, Kind: oauth.Registered, Status: oauth.Blocked}} {
		if err := r.store.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.resolver.Client(t.Context(), registered); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("Client = %v", err)
	}
	if c, err := r.resolver.Client(t.Context(), documentID); err != nil || c.Kind != oauth.Document || c.Status != oauth.Approved {
		t.Errorf("Client = %+v, %v", c, err)
	}
}

func TestATokenRequestFetchesNothing(t *testing.T) {
	r := newDocumentRig()
	if c, err := r.resolver.TokenClient(t.Context(), documentID); err != nil || c.Kind != oauth.Document || !c.Public() || !c.Grants(oauth.GrantRefreshToken) {
		t.Errorf("TokenClient = %+v, %v", c, err)
	}
	if _, err := r.resolver.TokenClient(t.Context(), "https://10.0.0.1/x"); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("TokenClient = %v", err)
	}
	r.cfg.ClientDocuments = oauth.Approve
	if c, err := r.resolver.TokenClient(t.Context(), documentID); err != nil || c.Status != oauth.Pending {
		t.Errorf("TokenClient = %+v, %v", c, err)
	}
	r.cfg.ClientDocuments = oauth.Closed
	if _, err := r.resolver.TokenClient(t.Context(), documentID); !errors.Is(err, oauth.ErrNotFound) {
		t.Errorf("TokenClient = %v", err)
	}
	if r.fetcher.calls != 0 {
		t.Error("something was fetched")
	}
}

func TestDeletedAndUnconfiguredClientsLoseTheirTokens(t *testing.T) {
	r := newDocumentRig()
	for id, want := range map[string]bool{
		"vscode": false, "gone": true, "dcr_aaaaaaaaaaaaaaaaaaaaaaaaaa": true, documentID: false,
	} {
		if got, err := r.resolver.Blocked(t.Context(), id); err != nil || got != want {
			t.Errorf("Blocked(%q) = %v, %v, want %v", id, got, err, want)
		}
	}
	r.store.Fail(errors.New("down"))
	if _, err := r.resolver.Blocked(t.Context(), documentID); err == nil {
		t.Error("a store that is down must not decide")
	}
}
