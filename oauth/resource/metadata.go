package resource

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/tokens"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

const (
	wellKnownResource = "/.well-known/oauth-protected-resource"
	wellKnownMethods  = "GET, HEAD, OPTIONS"
)

// Metadata serves the documents of oauth.md §3: unauthenticated, for every origin, built from PublicURL only.
type Metadata struct {
	PublicURL string
	Config    func() *oauth.Config // of the current snapshot
	Catalogue oauth.Catalogue
	Keyring   func() *secret.Keyring
	Documents bool         // client ID metadata documents can be fetched here; false: never advertised
	Log       *slog.Logger // nil means slog.Default()
}

// Mount mounts on the root of the listener: everything below /.well-known/, and the addresses under an MCP server where
// clients look for metadata of an issuer with a path, which is never ours.
func (m *Metadata) Mount(g *echo.Group) {
	h := echo.WrapHandler(m)
	g.Any("/.well-known", h)
	g.Any("/.well-known/*", h)
	g.Any("/mcp/:server/.well-known/*", h)
}

func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	oauth.AllowAnyOrigin(w)
	switch r.Method {
	case http.MethodOptions:
		oauth.Preflight(w, wellKnownMethods)
		return
	case http.MethodGet, http.MethodHead:
	default:
		oauth.MethodNotAllowed(w, wellKnownMethods)
		return
	}
	doc, ok, err := m.document(r.URL.EscapedPath())
	switch {
	case err != nil:
		m.log().ErrorContext(r.Context(), "build metadata document", "error", err)
		oauth.WriteError(w, &oauth.Error{Code: oauth.ServerError})
	case !ok:
		oauth.WriteError(w, &oauth.Error{Code: oauth.InvalidRequest, Status: http.StatusNotFound, Description: "there is no such document"})
	default:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Length", strconv.Itoa(len(doc)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(doc) // the caller has gone
		}
	}
}

// document returns the document at a path. The escaped path is compared, so that every document has one address.
func (m *Metadata) document(path string) (doc []byte, ok bool, err error) {
	switch path {
	case "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration":
		doc, err = m.authorizationServer()
		return doc, true, err
	case "/.well-known/jwks.json":
		if doc, err = tokens.JWKS(m.Keyring()); err != nil {
			return nil, false, fmt.Errorf("jwks: %w", err)
		}
		return doc, true, nil
	case wellKnownResource:
		return m.protectedResource("")
	}
	if rest, below := strings.CutPrefix(path, wellKnownResource); below && strings.HasPrefix(rest, "/") {
		return m.protectedResource(rest)
	}
	return nil, false, nil
}

func (m *Metadata) log() *slog.Logger {
	if m.Log == nil {
		return slog.Default()
	}
	return m.Log
}
