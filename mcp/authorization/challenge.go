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
	params := bearerParams(resp.Header.Values("WWW-Authenticate"))
	if resp.StatusCode != http.StatusUnauthorized && (resp.StatusCode != http.StatusForbidden || params["error"] != insufficientScope) {
		return nil
	}
	return &Required{
		Status: resp.StatusCode, ResourceMetadata: params["resource_metadata"], Scope: params["scope"], Code: params["error"],
	}
}

// bearerParams returns the parameters of the first Bearer challenge: name=token or name="text", separated by commas. Other
// challenges may stand before it, in the same field or in one of their own (RFC 9110 §11.6.1).
func bearerParams(fields []string) map[string]string {
	params, scheme := map[string]string{}, ""
	for _, rest := range fields {
		for rest != "" {
			before, after, ok := strings.Cut(rest, "=")
			if !ok {
				break
			}
			words := strings.FieldsFunc(before, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
			if len(words) > 1 {
				if len(params) > 0 {
					return params // another challenge begins
				}
				scheme = words[len(words)-2]
			}
			var value string
			value, rest = paramValue(strings.TrimLeft(after, " \t"))
			if len(words) > 0 && strings.EqualFold(scheme, "Bearer") {
				params[strings.ToLower(words[len(words)-1])] = value
			}
		}
		if len(params) > 0 {
			return params
		}
		scheme = ""
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
