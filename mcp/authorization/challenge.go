package authorization

import (
	"fmt"
	"net/http"
	"strings"
)

// Required is a 401, or a 403 that a wider scope would cure.
type Required struct {
	Status           int
	ResourceMetadata string // address of the RFC 9728 document; "" when the challenge names none
	Scope            string // what to ask for; "" when the challenge names none
	Code             string // error of the challenge; ""
}

func (e *Required) Error() string {
	if e.Code == insufficientScope {
		return fmt.Sprintf("the token lacks a scope: %s", e.Scope)
	}
	return "sign-in is needed"
}

const insufficientScope = "insufficient_scope"

// ReadChallenge reads what a 401, or a 403 for want of a scope, asks for (RFC 9728 §5.1, RFC 6750 §3); nil for other answers.
func ReadChallenge(resp *http.Response) *Required {
	params := bearerParams(resp.Header.Get("WWW-Authenticate"))
	if resp.StatusCode != http.StatusUnauthorized && (resp.StatusCode != http.StatusForbidden || params["error"] != insufficientScope) {
		return nil
	}
	return &Required{
		Status: resp.StatusCode, ResourceMetadata: params["resource_metadata"], Scope: params["scope"], Code: params["error"],
	}
}

// bearerParams returns the parameters of a Bearer challenge: name=token or name="text", separated by commas.
func bearerParams(header string) map[string]string {
	params := map[string]string{}
	scheme, rest, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return params
	}
	for rest != "" {
		name, after, ok := strings.Cut(strings.TrimLeft(rest, " ,\t"), "=")
		if !ok {
			return params
		}
		var value string
		value, rest = paramValue(after)
		params[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return params
}

// paramValue reads a token or a quoted string (RFC 9110 §5.6.4) and returns what follows it.
func paramValue(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return strings.TrimSpace(value), rest
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i < len(s) {
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
