package grants

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

const maxForm = 64 << 10

// request is a form of these endpoints, parsed once.
type request struct {
	form   url.Values
	basic  bool // an Authorization header was there
	client oauth.Client
}

func (r *request) get(name string) string { return r.form.Get(name) }

// parseRequest is check 1 of oauth.md §9.1. Parameters without a value count as absent (RFC 6749 §3.2).
func parseRequest(w http.ResponseWriter, r *http.Request) (*request, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Status: http.StatusMethodNotAllowed, Description: "method not allowed"}
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return nil, refuse(oauth.InvalidRequest, "the content type must be application/x-www-form-urlencoded")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return nil, refuse(oauth.InvalidRequest, "the charset must be utf-8")
	}
	if err := checkQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Status: http.StatusRequestEntityTooLarge, Description: "the body is larger than 64 KiB"}
	case err != nil:
		return nil, refuse(oauth.InvalidRequest, "the body could not be read")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuse(oauth.InvalidRequest, "the body is not a form")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, refuse(oauth.InvalidRequest, "a parameter is repeated")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, refuse(oauth.InvalidRequest, "the body is not UTF-8")
		}
	}
	return &request{form: form, basic: len(r.Header["Authorization"]) > 0}, nil
}

// parameters are what these endpoints read: none of it may be in a query, which ends up in logs.
var parameters = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "code", "code_verifier",
	"redirect_uri", "refresh_token", "scope", "resource", "token", "token_type_hint", "username", "password", "assertion",
}

func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return refuse(oauth.InvalidRequest, "the query is malformed")
	}
	for _, name := range parameters {
		if query.Has(name) {
			return refuse(oauth.InvalidRequest, "parameters belong into the body")
		}
	}
	return nil
}
