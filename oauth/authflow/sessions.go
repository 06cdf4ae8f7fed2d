package authflow

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	sessionCookie = "drawbridge-session"
	sessionIdle   = 8 * time.Hour
	sessionLife   = 24 * time.Hour
	sessionTouch  = 5 * time.Minute // how exactly idleness is known; each touch is a write
)

// Sessions says who is signed in to portal and console (operations.md §9.2 G4). The cookie holds 256 random bits; the
// store has their hash.
type Sessions struct {
	Store     oauth.SessionStore
	Keyring   *secret.Keyring
	PublicURL string
	Log       *slog.Logger // nil: discarded
	Now       func() time.Time
}

var sessionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func (s *Sessions) secure() bool { return strings.HasPrefix(s.PublicURL, "https:") }

func (s *Sessions) now() time.Time {
	if s.Now != nil {
		return s.Now().UTC()
	}
	return time.Now().UTC()
}

// Caller returns the session of a request, or false when nobody is signed in. A store that is down signs nobody in.
func (s *Sessions) Caller(r *http.Request) (*oauth.Session, bool) {
	secret, ok := s.secretOf(r)
	if !ok {
		return nil, false
	}
	session, err := s.Store.Session(r.Context(), hashOf(secret))
	if err != nil {
		if !errors.Is(err, oauth.ErrNotFound) {
			s.warn(r.Context(), "session could not be read", err)
		}
		return nil, false
	}
	now := s.now()
	if now.After(session.Expires) || now.Sub(session.Seen) > sessionIdle {
		return nil, false
	}
	if now.Sub(session.Seen) > sessionTouch {
		session.Seen = now
		if err := s.Store.PutSession(r.Context(), session); err != nil {
			s.warn(r.Context(), "session could not be touched", err)
		}
	}
	return &session, true
}

// FormToken returns the token that forms of portal and console carry in the field "token"; "" without a session.
func (s *Sessions) FormToken(r *http.Request) string {
	text, ok := s.secretOf(r)
	if !ok {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s.Keyring.MAC(secret.CSRF, "session", text))
}

// CheckForm reports why a form post of a signed-in person must not be believed: sent from elsewhere, without session or
// without its token. It reads the form, at most 16 KiB, each field once.
func (s *Sessions) CheckForm(w http.ResponseWriter, r *http.Request) error {
	if err := checkSource(r, s.PublicURL); err != nil {
		return err
	}
	form, err := readForm(w, r)
	if err != nil {
		return err
	}
	want := s.FormToken(r)
	if want == "" || !hmac.Equal([]byte(want), []byte(form.Get("token"))) {
		return errors.New("token is missing or another one")
	}
	return nil
}

// Start signs a person in: a new session and its cookie.
func (s *Sessions) Start(ctx context.Context, w http.ResponseWriter, id oauth.Identity) error {
	text, now := randomToken(), s.now()
	if err := s.Store.PutSession(ctx, oauth.Session{Hash: hashOf(text), Identity: id, Created: now, Seen: now, Expires: now.Add(sessionLife)}); err != nil {
		return err
	}
	setCookie(w, s.secure(), sessionCookie, text, sessionLife)
	return nil
}

// End signs out: record and cookie go.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) {
	if text, ok := s.secretOf(r); ok {
		if err := s.Store.DeleteSession(r.Context(), hashOf(text)); err != nil && !errors.Is(err, oauth.ErrNotFound) {
			s.warn(r.Context(), "session could not be ended", err)
		}
		setCookie(w, s.secure(), sessionCookie, "", 0)
	}
}

func (s *Sessions) secretOf(r *http.Request) (string, bool) {
	found := r.CookiesNamed(cookieName(s.secure(), sessionCookie))
	if len(found) != 1 || !sessionPattern.MatchString(found[0].Value) {
		return "", false
	}
	return found[0].Value, true
}

func (s *Sessions) warn(ctx context.Context, what string, err error) {
	if s.Log != nil {
		s.Log.WarnContext(ctx, what, "error", err.Error())
	}
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
