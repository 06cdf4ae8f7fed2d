package oauthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// IdentityHeader is what the managed identity endpoint of the fake wants in X-IDENTITY-HEADER.
const IdentityHeader = "header-of-the-platform"

// refuseClient returns why the credential of a token request is no good, in Entra's words; "" when it is.
func (e *Entra) refuseClient(s Switches, r *http.Request) string {
	form := r.PostForm
	if form.Get("client_id") != EntraClient {
		return "AADSTS700016: Application was not found in the directory."
	}
	if s.Certificate == nil && s.Federated == "" {
		if form.Get("client_secret") != EntraSecret {
			return "AADSTS7000215: Invalid client secret provided."
		}
		return ""
	}
	if form.Has("client_secret") || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return "AADSTS7000218: The request body must contain client_assertion."
	}
	if s.Federated != "" {
		if form.Get("client_assertion") != s.Federated {
			return "AADSTS700027: The client assertion is not valid."
		}
		return ""
	}
	return e.refuseAssertion(s, form.Get("client_assertion"), e.URL+r.URL.Path)
}

// refuseAssertion checks what Entra checks of a certificate's assertion: PS256, thumbprint, audience, times, used once.
func (e *Entra) refuseAssertion(s Switches, assertion, audience string) string {
	sum := sha256.Sum256(s.Certificate.Raw)
	token, err := jwt.Parse(assertion, func(t *jwt.Token) (any, error) { return s.Certificate.PublicKey, nil },
		jwt.WithValidMethods([]string{"PS256"}), jwt.WithAudience(audience), jwt.WithIssuer(EntraClient), jwt.WithSubject(EntraClient),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(e.now))
	if err != nil || token.Header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered."
	}
	claims, _ := token.Claims.(jwt.MapClaims)
	exp, err := claims.GetExpirationTime()
	jti, _ := claims["jti"].(string)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || exp.After(e.now().Add(10*time.Minute)) || jti == "" || e.jtis[jti] {
		return "AADSTS700023: The client assertion's jti or lifetime is not valid."
	}
	e.jtis[jti] = true
	return ""
}

// managedIdentity plays the endpoint of App Service: a token for Entra's exchange audience.
func (e *Entra) managedIdentity(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-IDENTITY-HEADER") != IdentityHeader || r.URL.Query().Get("resource") != "api://AzureADTokenExchange" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": e.state().Federated, "expires_on": strconv.FormatInt(e.now().Add(24*time.Hour).Unix(), 10), "token_type": "Bearer"})
}
