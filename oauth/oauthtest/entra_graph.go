package oauthtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// GraphToken is the access token that an exchange for Graph gives.
const GraphToken = "graph-access-token"

// refuseExchange checks an on-behalf-of request: the assertion must be an access token for our own API.
func refuseExchange(form url.Values) string {
	parts := strings.Split(form.Get("assertion"), ".")
	var c map[string]any
	if len(parts) == 3 {
		raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
		_ = json.Unmarshal(raw, &c)
	}
	switch {
	case form.Get("requested_token_use") != "on_behalf_of", form.Get("scope") == "":
		return "AADSTS900144: The request body must contain requested_token_use and scope."
	case c["aud"] != EntraClient || c["scp"] == nil || c["idtyp"] == "app":
		return "AADSTS50013: Assertion failed signature validation."
	}
	return ""
}

// memberOf gives the pages of groups, linked as Graph links them.
func (e *Entra) memberOf(w http.ResponseWriter, r *http.Request) {
	s := e.state()
	if e.fails(w, r, s.Graph) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+GraphToken {
		http.Error(w, "InvalidAuthenticationToken", http.StatusUnauthorized)
		return
	}
	n, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken"))
	value := []any{}
	if n < len(s.GroupPages) {
		for _, id := range s.GroupPages[n] {
			value = append(value, map[string]any{"id": id})
		}
	}
	body := map[string]any{"value": value}
	if n+1 < len(s.GroupPages) {
		body["@odata.nextLink"] = e.URL + r.URL.Path + "?$skiptoken=" + strconv.Itoa(n+1)
	}
	if s.NextLink != "" {
		body["@odata.nextLink"] = s.NextLink
	}
	writeJSON(w, http.StatusOK, body)
}
