package openapi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// security reads what credentials an operation asks for. They never become arguments (§11).
func (im *importer) security(o *rawOperation) [][]SchemeScopes {
	v := o.node.get("security")
	if v == nil {
		v = im.root.get("security")
	}
	var out [][]SchemeScopes
	for _, alternative := range v.items() {
		var all []SchemeScopes
		for _, f := range alternative.fields() {
			all = append(all, SchemeScopes{Scheme: schemeName(f.key), Scopes: texts(f.value)})
		}
		out = append(out, all)
	}
	if len(out) > 0 {
		im.countSchemes(out)
	}
	return out
}

// countSchemes counts the operation for the first alternative that one credential can satisfy.
func (im *importer) countSchemes(alternatives [][]SchemeScopes) {
	for _, all := range alternatives {
		if len(all) == 0 {
			return // anonymous is allowed
		}
	}
	single := ""
	for _, all := range alternatives {
		if len(all) != 1 {
			continue
		}
		if configurable(im.scheme(all[0].Scheme)) {
			single = all[0].Scheme
			break
		}
		firstText(&single, all[0].Scheme)
	}
	if single != "" {
		im.schemes[single]++
		return
	}
	var names []string
	for _, s := range alternatives[0] {
		names = append(names, s.Scheme)
	}
	im.schemes["+"+strings.Join(names, ", ")]++
}

// schemeName is the name of a scheme in the characters that components may have (P18).
func schemeName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r < utf8.RuneSelf && isToolChar(byte(r)) {
			return r
		}
		return '_'
	}, name)
}

// scheme finds what a document says of a security scheme; nil: nothing.
func (im *importer) scheme(name string) *node {
	defs := im.lib.part(im.root, "components", "securitySchemes")
	if im.swagger {
		defs = im.lib.part(im.root, "securityDefinitions")
	}
	for _, f := range defs.fields() {
		if schemeName(f.key) != name {
			continue
		}
		if f.key != name {
			im.warn.add(f.value, "repaired: security scheme "+shorten(f.key, 60)+" is called "+shorten(name, 60))
		}
		if target, err := im.lib.follow(f.value); err == nil {
			return target
		}
		return f.value
	}
	return nil
}

// configurable says whether a credential of a backend can satisfy a scheme.
func configurable(s *node) bool {
	switch strings.ToLower(s.strAt("type")) {
	case "apikey", "basic":
		return true
	case "http":
		return strings.EqualFold(s.strAt("scheme"), "basic") || strings.EqualFold(s.strAt("scheme"), "bearer")
	case "oauth2":
		_, kind := oauthFlow(s)
		return kind != ""
	}
	return false
}

// securityWarnings says once per scheme how to configure it.
func (im *importer) securityWarnings() {
	for _, name := range sortedKeys(im.schemes) {
		count := im.schemes[name]
		if several, ok := strings.CutPrefix(name, "+"); ok {
			im.warn.at("", fmt.Sprintf("security: needs several credentials: %s (%d operations)", several, count))
			continue
		}
		scheme := im.scheme(name)
		if !scheme.isMap() {
			im.warn.at("", fmt.Sprintf("security: scheme %q is not declared (%d operations)", shorten(name, 60), count))
			continue
		}
		im.warn.add(scheme, fmt.Sprintf("security: %s: %s (%d operations)", shorten(name, 60), im.schemeText(scheme), count))
	}
}

func (im *importer) schemeText(s *node) string {
	name := visibleName(s.strAt("name"))
	switch kind := s.strAt("type"); strings.ToLower(kind) {
	case "apikey":
		switch s.strAt("in") {
		case "cookie":
			return "cookie API keys: {kind: api_key, cookie: " + name + "}"
		case "query":
			return "needs an API key: backends[].credential: {kind: api_key, query: " + name + ", value: env:…}"
		}
		return "needs an API key: backends[].credential: {kind: api_key, header: " + name + ", value: env:…}"
	case "basic":
		return "needs backends[].credential: {kind: basic, username: …, password: env:…}"
	case "http":
		switch scheme := strings.ToLower(s.strAt("scheme")); scheme {
		case "basic":
			return "needs backends[].credential: {kind: basic, username: …, password: env:…}"
		case "bearer", "":
		default:
			return "http " + visibleName(scheme) + " is not configured automatically"
		}
		return "needs backends[].credential: {kind: bearer, value: env:…}"
	case "oauth2":
		return im.oauthText(s)
	case "openidconnect", "mutualtls":
		return visibleName(kind) + " is not configured automatically"
	}
	return "unknown kind of scheme"
}

func (im *importer) oauthText(s *node) string {
	flow, kind := oauthFlow(s)
	if kind == "" {
		return "oauth2 without a flow that a gateway can take is not configured automatically"
	}
	token, authorize := visibleName(flow.strAt("tokenUrl")), visibleName(flow.strAt("authorizationUrl"))
	if kind == "clientCredentials" || kind == "application" {
		var scopes []string
		for _, f := range flow.get("scopes").fields() {
			scopes = append(scopes, f.key)
		}
		return "needs backends[].credential: {kind: client_credentials, token_url: " + token + ", scope: " + shorten(strings.Join(scopes, " "), 80) + "}"
	}
	if strings.Contains(authorize, "login.microsoftonline.com") {
		return "needs backends[].credential: {kind: on_behalf_of, scope: …}"
	}
	return strings.TrimSpace("needs backends[].credential: {kind: connection, provider: …} with providers: authorize_url: " + authorize + ", token_url: " + token)
}

// oauthFlow is the flow that a credential would take; kind "" when there is none, as with devices alone.
func oauthFlow(s *node) (flow *node, kind string) {
	flows := s.get("flows")
	for _, k := range [...]string{"clientCredentials", "authorizationCode", "implicit", "password"} {
		if f := flows.get(k); f != nil {
			return f, k
		}
	}
	return s, s.strAt("flow") // 2.0
}
