package openapi

import (
	"fmt"
	"strings"
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
			all = append(all, SchemeScopes{Scheme: f.key, Scopes: texts(f.value)})
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
	for _, all := range alternatives {
		if len(all) == 1 {
			im.schemes[all[0].Scheme]++
			return
		}
	}
	var names []string
	for _, s := range alternatives[0] {
		names = append(names, s.Scheme)
	}
	im.schemes["+"+strings.Join(names, ", ")]++
}

// securityWarnings says once per scheme how to configure it.
func (im *importer) securityWarnings() {
	defs := im.root.get("components").get("securitySchemes")
	if im.swagger {
		defs = im.root.get("securityDefinitions")
	}
	for _, name := range sortedKeys(im.schemes) {
		count := im.schemes[name]
		if several, ok := strings.CutPrefix(name, "+"); ok {
			im.warn.at("", fmt.Sprintf("security: needs several credentials: %s (%d operations)", several, count))
			continue
		}
		scheme := defs.get(name)
		if scheme.get("$ref") != nil {
			if target, err := im.lib.follow(scheme); err == nil {
				scheme = target
			}
		}
		if !scheme.isMap() {
			im.warn.at("", fmt.Sprintf("security: scheme %q is not declared (%d operations)", shorten(name, 60), count))
			continue
		}
		im.warn.add(scheme, fmt.Sprintf("security: %s: %s (%d operations)", shorten(name, 60), im.schemeText(scheme), count))
	}
}

func (im *importer) schemeText(s *node) string {
	name := visibleName(s.strAt("name"))
	switch kind := strings.ToLower(s.strAt("type")); kind {
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
		if strings.EqualFold(s.strAt("scheme"), "basic") {
			return "needs backends[].credential: {kind: basic, username: …, password: env:…}"
		}
		return "needs backends[].credential: {kind: bearer, value: env:…}"
	case "oauth2":
		return im.oauthText(s)
	case "openidconnect", "mutualtls":
		return kind + " is not configured automatically"
	}
	return "unknown kind of scheme"
}

func (im *importer) oauthText(s *node) string {
	flow, kind := s, s.strAt("flow")
	if flows := s.get("flows"); flows != nil {
		for _, k := range [...]string{"clientCredentials", "authorizationCode", "implicit", "password"} {
			if f := flows.get(k); f != nil {
				flow, kind = f, k
				break
			}
		}
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
