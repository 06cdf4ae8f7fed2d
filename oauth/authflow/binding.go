package authflow

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"regexp"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// browser is what the binding cookie holds: "{start}" or "{start}.{person}", of constant size however many sign-ins run
// side by side. A transaction is bound to start until the provider answered and to person from then on.
//
// person is an HMAC of start and the subject under our key. So it is new after a sign-in: whoever planted start in this
// browser beforehand (fixation) cannot know it, unless they can sign in as the same person. And parallel sign-ins of one
// person in one browser arrive at the same value, in whatever order their callbacks come.
type browser struct{ start, person string }

var bindingPattern = regexp.MustCompile(`^([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{43}))?$`)

// randomToken returns 256 random bits as 43 characters of base64url.
func randomToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (h *Handler) bindingName() string { return cookieName(h.secure, "drawbridge-tx") }

func cookieName(secure bool, name string) string {
	if secure {
		return "__Host-" + name
	}
	return name
}

// browserOf reads the binding cookie. Two of them are none: somebody tossed one in.
func (h *Handler) browserOf(r *http.Request) (browser, bool) {
	found := r.CookiesNamed(h.bindingName())
	if len(found) != 1 {
		return browser{}, false
	}
	m := bindingPattern.FindStringSubmatch(found[0].Value)
	if m == nil {
		return browser{}, false
	}
	return browser{start: m[1], person: m[2]}, true
}

func (b browser) String() string {
	if b.person == "" {
		return b.start
	}
	return b.start + "." + b.person
}

func (h *Handler) setBinding(w http.ResponseWriter, b browser) {
	setCookie(w, h.secure, "drawbridge-tx", b.String(), h.Config.TransactionTTL)
}

// setCookie sets a cookie that scripts and other sites do not see. __Host- forbids a Domain and asks for Secure and the
// root path, so that no neighbour host can plant one; on plain http loopback browsers would drop it, hence the bare name.
func setCookie(w http.ResponseWriter, secure bool, name, value string, life time.Duration) {
	maxAge := int(life / time.Second)
	if value == "" {
		maxAge = -1
	}
	http.SetCookie(w, &http.Cookie{Name: cookieName(secure, name), Value: value, Path: "/", MaxAge: maxAge,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// stage is which half of the cookie a transaction is bound to.
type stage string

const (
	starting stage = "start"
	signedIn stage = "person"
)

func (b browser) secret(s stage) string {
	if s == signedIn {
		return b.person
	}
	return b.start
}

// bind returns what the transaction stores of the browser.
func (h *Handler) bind(b browser, s stage, transaction string) []byte {
	return h.Keyring.MAC(secret.Cookie, "binding", string(s), b.secret(s), transaction)
}

// renew returns the browser after subject signed in.
func (h *Handler) renew(b browser, subject string) browser {
	mac := h.Keyring.MAC(secret.Cookie, "signed in", b.start, subject)
	return browser{start: b.start, person: base64.RawURLEncoding.EncodeToString(mac)}
}

// owns reports whether the browser is the one the transaction is bound to.
func (h *Handler) owns(b browser, s stage, t *oauth.Transaction) bool {
	return b.secret(s) != "" && hmac.Equal(h.bind(b, s, t.ID), t.BindingHash)
}

// formToken is the same for every GET of a page, because browsers and extensions fetch twice.
func (h *Handler) formToken(b browser, s stage, t *oauth.Transaction) string {
	mac := h.Keyring.MAC(secret.CSRF, "transaction", string(s), t.ID, b.secret(s))
	return base64.RawURLEncoding.EncodeToString(mac)
}
