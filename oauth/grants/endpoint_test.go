package grants_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
)

func TestGrantTypes_100_113(t *testing.T) {
	r := newRig(t)
	wantError(t, r.post(t, "/oauth/token", url.Values{"client_id": {publicID}}), oauth.InvalidRequest)
	for _, name := range []string{
		"password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "urn:openid:params:grant-type:ciba",
		"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer", "Refresh_Token",
	} {
		wantError(t, r.post(t, "/oauth/token", url.Values{"grant_type": {name}, "client_id": {publicID}}), oauth.UnsupportedGrantType)
	}
}

func TestTheFormOfATokenRequest_101(t *testing.T) {
	r := newRig(t)
	const form = "application/x-www-form-urlencoded"
	body := redeemForm(r.code(publicID)).Encode()
	token := r.server.URL + "/oauth/token"
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		a := r.send(t, method, token+"?"+body, form, "")
		if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") == "" || a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s = %d %v", method, a.status, a.header)
		}
	}
	for name, a := range map[string]reply{
		"query code":       r.send(t, http.MethodPost, token+"?"+body, form, ""),
		"query secret":     r.send(t, http.MethodPost, token+"?client_secret=x", form, body),
		"malformed query":  r.send(t, http.MethodPost, token+"?%zz", form, body),
		"JSON":             r.send(t, http.MethodPost, token, "application/json", `{"grant_type":"authorization_code"}`),
		"no content type":  r.send(t, http.MethodPost, token, "", body),
		"other charset":    r.send(t, http.MethodPost, token, form+"; charset=utf-16", body),
		"repeated":         r.send(t, http.MethodPost, token, form, body+"&code=x"),
		"repeated equally": r.send(t, http.MethodPost, token, form, body+"&client_id="+publicID),
		"repeated unknown": r.send(t, http.MethodPost, token, form, body+"&x=1&x=1"),
		"not UTF-8":        r.send(t, http.MethodPost, token, form, body+"&x=%ff"),
		"no form":          r.send(t, http.MethodPost, token, form, "%zz"),
		"Basic and body": r.send(t, http.MethodPost, token, form, "grant_type=refresh_token&refresh_token=x&client_secret="+clientSecret,
			withBasic(basicID, clientSecret)),
		"146 assertion and secret": r.send(t, http.MethodPost, token, form, body+"&client_secret=x&client_assertion=y"),
		"two clients": r.send(t, http.MethodPost, token, form, "grant_type=refresh_token&refresh_token=x&client_id="+publicID,
			withBasic(basicID, clientSecret)),
	} {
		t.Run(name, func(t *testing.T) { wantError(t, a, oauth.InvalidRequest) })
	}
	if a := r.send(t, http.MethodPost, token, form, "x="+strings.Repeat("a", 64<<10)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("64 KiB body = %d", a.status)
	}
	wantOK(t, r.send(t, http.MethodPost, token+"?x=1", form+"; charset=UTF-8", body)) // none of it spent the code
}

func TestPreflightAndCORS_129(t *testing.T) {
	r := newRig(t)
	for path, open := range map[string]bool{"/oauth/token": true, "/oauth/revoke": true, "/oauth/introspect": false} {
		a := r.send(t, http.MethodOptions, r.server.URL+path, "", "")
		if open && (a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Methods") != "POST" ||
			a.header.Get("Access-Control-Allow-Headers") != "authorization, content-type, mcp-protocol-version" ||
			a.header.Get("Access-Control-Max-Age") != "86400") {
			t.Errorf("%s: preflight %d %v", path, a.status, a.header)
		}
		if !open && (a.status != http.StatusMethodNotAllowed || a.header.Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s: preflight %d %v", path, a.status, a.header)
		}
		if a.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s allows credentials", path)
		}
	}
}

func TestClientAuthentication_86_102(t *testing.T) {
	refreshOf := func(v ...string) url.Values {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"dbr_x"}}
		for i := 0; i < len(v); i += 2 {
			form.Set(v[i], v[i+1])
		}
		return form
	}
	for name, tc := range map[string]struct {
		form  url.Values
		basic [2]string
		code  string // "" invalid_client; otherwise authentication succeeded and the grant was refused
	}{
		"86 unknown client":               {form: refreshOf("client_id", "dcr_zzzzzzzzzzzzzzzzzzzzzzzzzz")},
		"86 unknown configured":           {form: refreshOf("client_id", "nobody")},
		"86 unknown by Basic":             {form: refreshOf(), basic: [2]string{"nobody", "x"}},
		"no client":                       {form: refreshOf()},
		"102 public with secret":          {form: refreshOf("client_id", publicID, "client_secret", "x")},
		"102 public with Basic":           {form: refreshOf(), basic: [2]string{publicID, "x"}},
		"102 confidential without":        {form: refreshOf("client_id", basicID)},
		"102 post instead of basic":       {form: refreshOf("client_id", basicID, "client_secret", clientSecret)},
		"102 basic instead of post":       {form: refreshOf(), basic: [2]string{postID, clientSecret}},
		"wrong secret":                    {form: refreshOf(), basic: [2]string{basicID, clientSecret + "x"}},
		"assertion":                       {form: refreshOf("client_id", "ci", "client_assertion", "x.y.z")},
		"basic":                           {form: refreshOf(), basic: [2]string{basicID, clientSecret}, code: oauth.InvalidGrant},
		"basic and equal client_id":       {form: refreshOf("client_id", basicID), basic: [2]string{basicID, clientSecret}, code: oauth.InvalidGrant},
		"post":                            {form: refreshOf("client_id", postID, "client_secret", clientSecret), code: oauth.InvalidGrant},
		"public":                          {form: refreshOf("client_id", publicID), code: oauth.InvalidGrant},
		"configured public":               {form: refreshOf("client_id", "open"), code: oauth.InvalidGrant},
		"configured: basic, form-decoded": {form: refreshOf(), basic: [2]string{"ci", "ci secret 0123456789"}, code: oauth.UnauthorizedClient},
		"configured: post":                {form: refreshOf("client_id", "ci", "client_secret", "ci secret 0123456789"), code: oauth.UnauthorizedClient},
		"document":                        {form: refreshOf("client_id", "https://claude.ai/oauth/mcp-oauth-client-metadata"), code: oauth.InvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var options []option
			if tc.basic[0] != "" {
				options = append(options, withBasic(tc.basic[0], tc.basic[1]))
			}
			a := r.post(t, "/oauth/token", tc.form, options...)
			if tc.code != "" {
				wantError(t, a, tc.code)
				return
			}
			wantError(t, a, oauth.InvalidClient)
			want := ""
			if tc.basic[0] != "" {
				want = `Basic realm="drawbridge"`
			}
			if got := a.header.Get("WWW-Authenticate"); got != want {
				t.Errorf("WWW-Authenticate = %q, want %q", got, want)
			}
			r.wantNoSecretsLogged(t, clientSecret)
		})
	}
}

func TestGuessingASecretIsSlowedDown_Ceilings(t *testing.T) {
	r := newRig(t)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"dbr_x"}}
	for range 30 {
		wantError(t, r.post(t, "/oauth/token", form, withBasic(basicID, "wrong")), oauth.InvalidClient)
	}
	a := r.post(t, "/oauth/token", form, withBasic(basicID, "wrong"))
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
		t.Errorf("31st failure = %d %v", a.status, a.header)
	}
	for range 40 { // invalid_grant is never limited: clients race
		wantError(t, r.refresh(t, tokens.NewRefresh().Token), oauth.InvalidGrant)
	}
	r.pass(time.Minute)
	wantError(t, r.post(t, "/oauth/token", form, withBasic(basicID, clientSecret)), oauth.InvalidGrant)
}

func TestAPendingOrBlockedClientIsUnauthorized(t *testing.T) {
	for _, status := range []oauth.ClientStatus{oauth.Pending, oauth.Blocked} {
		r := newRig(t)
		c, err := r.store.Client(t.Context(), publicID)
		if err != nil {
			t.Fatal(err)
		}
		c.Status = status
		if err := r.store.PutClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		wantError(t, r.redeem(t, r.code(publicID)), oauth.UnauthorizedClient)
	}
}

func TestErrorTextsAreASCIIAndEchoNothing(t *testing.T) {
	r := newRig(t)
	a := r.post(t, "/oauth/token", url.Values{"grant_type": {"<script>ä"}, "client_id": {"<b>"}})
	if strings.Contains(a.raw, "<") || strings.Contains(a.raw, "u003c") {
		t.Errorf("answer echoes input: %s", a.raw)
	}
	for _, c := range a.text("error_description") {
		if c > 0x7e {
			t.Errorf("not ASCII: %s", a.raw)
		}
	}
}

func service(r *rig, t *testing.T, id, secret string, v ...string) reply {
	form := url.Values{"grant_type": {"client_credentials"}}
	for i := 0; i < len(v); i += 2 {
		form.Set(v[i], v[i+1])
	}
	return r.post(t, "/oauth/token", form, withBasic(id, secret))
}

func TestClientCredentials(t *testing.T) {
	r := newRig(t)
	a := service(r, t, "ci", "ci secret 0123456789")
	wantOK(t, a)
	if a.body["refresh_token"] != nil || a.text("scope") != "mcp:orders" {
		t.Errorf("answer = %s", a.raw)
	}
	c, err := r.verifier.Verify(t.Context(), a.text("access_token"), orders)
	if err != nil || c.Kind != "app" || c.Subject != "client:ci" || !c.HasRole("Reader") {
		t.Errorf("caller = %+v, %v", c, err)
	}
	two := func(v ...string) reply { return service(r, t, "two", "two secret 0123456789", v...) }
	wantError(t, two(), oauth.InvalidTarget) // two servers: one must be named
	wantOK(t, two("resource", publicURL+"/llm"))
	wantOK(t, two("resource", orders, "scope", "mcp:orders"))
	wantError(t, two("resource", publicURL+"/mcp/billing"), oauth.InvalidTarget)
	wantError(t, two("resource", "https://evil.test/llm"), oauth.InvalidTarget)
	wantError(t, two("resource", orders, "scope", "orders.unknown"), oauth.InvalidScope)
	if a := two("resource", orders, "scope", "orders.delete"); a.text("scope") != "mcp:orders" {
		t.Errorf("scope without role = %s", a.raw)
	}
	wantError(t, r.post(t, "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {publicID}}), oauth.UnauthorizedClient)
	wantError(t, r.post(t, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}, withBasic(basicID, clientSecret)), oauth.UnauthorizedClient)
	r.cfg.Clients[1].Servers = []string{"billing"} // whose role it lacks
	wantError(t, two(), oauth.InvalidTarget)
}

func TestRevocation_137(t *testing.T) {
	r := newRig(t)
	revoke := func(token, client string) reply {
		return r.post(t, "/oauth/revoke", url.Values{"token": {token}, "client_id": {client}, "token_type_hint": {"whatever"}})
	}
	a := r.signIn(t)
	for name, answer := range map[string]reply{
		"unknown":                revoke("x", publicID),
		"unknown refresh":        revoke(tokens.NewRefresh().Token, publicID),
		"other client's refresh": revoke(a.text("refresh_token"), otherID),
		"other client's access":  revoke(a.text("access_token"), otherID),
	} {
		if answer.status != 200 || answer.raw != "" || answer.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s = %d %q", name, answer.status, answer.raw)
		}
	}
	r.wantGood(t, a.text("access_token"))
	if got := revoke(a.text("refresh_token"), publicID); got.status != 200 {
		t.Errorf("revoke = %d", got.status)
	}
	r.wantDead(t, a.text("access_token"))
	wantError(t, r.refresh(t, a.text("refresh_token")), oauth.InvalidGrant)
	wantError(t, revoke("", publicID), oauth.InvalidRequest)
	wantError(t, revoke("x", "dcr_zzzzzzzzzzzzzzzzzzzzzzzzzz"), oauth.InvalidClient)
	wantError(t, r.post(t, "/oauth/revoke", url.Values{"token": {"x"}, "client_id": {basicID}}), oauth.InvalidClient)
	r.wantNoSecretsLogged(t)
}

func TestARevokedServiceTokenIsDeadHere_137(t *testing.T) {
	r := newRig(t)
	token := service(r, t, "ci", "ci secret 0123456789").text("access_token")
	r.wantGood(t, token)
	if a := r.post(t, "/oauth/revoke", url.Values{"token": {token}}, withBasic("ci", "ci secret 0123456789")); a.status != 200 {
		t.Fatalf("revoke = %d %s", a.status, a.raw)
	}
	r.wantDead(t, token)
}

func TestIntrospection_138(t *testing.T) {
	r := newRig(t)
	a := r.signIn(t)
	ask := func(token string, options ...option) reply {
		return r.post(t, "/oauth/introspect", url.Values{"token": {token}}, options...)
	}
	ci, two := withBasic("ci", "ci secret 0123456789"), withBasic("two", "two secret 0123456789")
	for name, answer := range map[string]reply{
		"unauthenticated": ask(a.text("access_token")),
		"public":          r.post(t, "/oauth/introspect", url.Values{"token": {"x"}, "client_id": {publicID}}),
		"wrong secret":    ask(a.text("access_token"), withBasic("ci", "wrong")),
	} {
		if answer.status != http.StatusUnauthorized || answer.text("error") != oauth.InvalidClient {
			t.Errorf("%s = %d %s", name, answer.status, answer.raw)
		}
	}
	good := ask(a.text("access_token"), ci)
	for name, want := range map[string]any{
		"active": true, "iss": publicURL, "sub": "t/ada", "aud": orders, "client_id": publicID, "scope": "mcp:orders", "token_type": "Bearer",
	} {
		if good.body[name] != want {
			t.Errorf("%s = %v, want %v", name, good.body[name], want)
		}
	}
	if good.body["exp"] == nil || good.body["iat"] == nil || good.body["nbf"] == nil || good.body["jti"] == nil || len(good.body) != 11 {
		t.Errorf("members = %s", good.raw)
	}
	wantNoStore(t, good)
	llm := service(r, t, "two", "two secret 0123456789", "resource", publicURL+"/llm").text("access_token")
	inactive := map[string]reply{
		"another audience": ask(llm, ci), "refresh token": ask(a.text("refresh_token"), ci), "rubbish": ask("x", ci),
	}
	if got := ask(llm, two); got.body["active"] != true {
		t.Errorf("own audience = %s", got.raw)
	}
	r.pass(time.Hour)
	inactive["expired"] = ask(a.text("access_token"), ci)
	for name, answer := range inactive {
		if answer.status != 200 || answer.raw != `{"active":false}` {
			t.Errorf("%s = %d %s", name, answer.status, answer.raw)
		}
	}
}
