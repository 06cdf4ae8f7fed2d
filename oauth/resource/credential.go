package resource

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

const (
	maxBearer = 8192
	minKey    = 16
	maxKey    = 512
)

// credential is what a request presents.
type credential struct {
	token string // an access token, or what may be one
	key   string // a subscription key

	bearer bool // the key came as a bearer token, which may be one that is no longer known
}

func (c credential) none() bool { return c.token == "" && c.key == "" }

var (
	errTwoHeaders  = errors.New("more than one Authorization header")
	errDisagree    = errors.New("credentials differ")
	errNotAToken   = errors.New("not a bearer token")
	errTokenLength = errors.New("too long")
	errNoKey       = errors.New("unknown or ended subscription key")
)

// keyHeaders are the headers beside Authorization in which SDKs send keys (llm.md KEY-1).
var keyHeaders = []string{"Api-Key", "X-Api-Key", "Ocp-Apim-Subscription-Key", "Subscription-Key", "X-Goog-Api-Key"}

// read finds the credential of a request. Nothing but headers is looked at: a token in a query ends up in logs. keys
// says whether subscription keys are taken here; where they are not, only Authorization exists.
func read(h http.Header, keys bool) (credential, error) {
	bearer, err := bearerOf(h["Authorization"])
	if err != nil && (!keys || errors.Is(err, errTwoHeaders)) {
		return credential{}, err
	}
	if !keys {
		return credential{token: bearer}, nil
	}
	if err != nil { // with keys a bearer value may be any text; what cannot be one is a wrong key
		bearer = strings.TrimSpace(afterScheme(h.Get("Authorization")))
	}
	found := presented(h, bearer)
	for _, value := range found[min(1, len(found)):] {
		if value != found[0] {
			return credential{}, errDisagree
		}
	}
	switch {
	case len(found) == 0:
		return credential{}, nil
	case bearer != "" && looksLikeJWT(bearer):
		return credential{token: bearer}, nil
	default:
		return credential{key: found[0], bearer: bearer != ""}, nil
	}
}

// presented lists all credentials of a request that takes keys.
func presented(h http.Header, bearer string) []string {
	var found []string
	if bearer != "" {
		found = append(found, bearer)
	}
	for _, name := range keyHeaders {
		for _, value := range h[name] {
			if value = strings.TrimSpace(value); value != "" {
				found = append(found, value)
			}
		}
	}
	for _, list := range h["Sec-Websocket-Protocol"] { // browsers cannot set headers on WebSockets
		for protocol := range strings.SplitSeq(list, ",") {
			if key, ok := strings.CutPrefix(strings.TrimSpace(protocol), "openai-insecure-api-key."); ok && key != "" {
				found = append(found, key)
			}
		}
	}
	return found
}

// bearerOf parses Authorization (oauth.md §8.2 row 1): one header, scheme Bearer in any case, one space, 1 to 8,192 bytes
// of b64token. No header, and another scheme, are no credential: "".
func bearerOf(values []string) (string, error) {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return "", nil
	}
	if len(values) > 1 {
		return "", errTwoHeaders
	}
	value := values[0]
	if scheme, _, _ := strings.Cut(value, " "); !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	token := afterScheme(value)
	if len(token) > maxBearer {
		return "", errTokenLength
	}
	if !isB64Token(token) {
		return "", errNotAToken
	}
	return token, nil
}

func afterScheme(value string) string {
	_, token, _ := strings.Cut(value, " ")
	return token
}

// isB64Token reports whether s is a b64token of RFC 6750 §2.1.
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !b64Chars[body[i]] {
			return false
		}
	}
	return body != ""
}

// b64Chars are the characters of a b64token. A table, since every call's token is read through it.
var b64Chars = func() (in [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/") {
		in[c] = true
	}
	return in
}()

// looksLikeJWT tells an access token from a key that has dots (llm.md KEY-2): two dots and a JOSE header.
func looksLikeJWT(s string) bool {
	if strings.Count(s, ".") != 2 || len(s) > maxBearer {
		return false
	}
	head, _, _ := strings.Cut(s, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var header struct {
		Algorithm *string `json:"alg"`
	}
	return json.Unmarshal(text, &header) == nil && header.Algorithm != nil
}
