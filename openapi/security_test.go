package openapi

import (
	"strings"
	"testing"
)

func TestSecuritySchemesBecomeCredentials(t *testing.T) { // §11, P18
	schemes := `"key":{"type":"apiKey","in":"header","name":"X-Key"},"cookie":{"type":"apiKey","in":"cookie","name":"SID"},"digest":{"type":"http","scheme":"digest"},"bearer":{"type":"http","scheme":"Bearer"},
		"cc":{"type":"oauth2","flows":{"clientCredentials":{"tokenUrl":"https://id.example/token","scopes":{"a":"","b":""}}}},"code":{"type":"oauth2","flows":{"authorizationCode":{"authorizationUrl":"https://id.example/auth","tokenUrl":"https://id.example/token"}}},
		"entra":{"type":"oauth2","flows":{"implicit":{"authorizationUrl":"https://login.microsoftonline.com/x/authorize"}}},"device":{"type":"oauth2","flows":{"deviceAuthorization":{"tokenUrl":"https://id.example/token"}}},
		"oidc":{"type":"openIdConnect","openIdConnectUrl":"https://id.example"},"tls":{"type":"mutualTLS"},"we ird":{"type":"apiKey","in":"query","name":"k"}`
	for security, want := range map[string]string{
		`[{"key":[]}]`:                          "security: key: needs an API key: backends[].credential: {kind: api_key, header: X-Key, value: env:…} (1 operations)",
		`[{"cookie":[]}]`:                       "security: cookie: cookie API keys: {kind: api_key, cookie: SID} (1 operations)",
		`[{"bearer":[]}]`:                       "security: bearer: needs backends[].credential: {kind: bearer, value: env:…} (1 operations)",
		`[{"digest":[]}]`:                       "security: digest: http digest is not configured automatically (1 operations)",
		`[{"cc":["a"]}]`:                        "security: cc: needs backends[].credential: {kind: client_credentials, token_url: https://id.example/token, scope: a b} (1 operations)",
		`[{"code":["r"]}]`:                      "security: code: needs backends[].credential: {kind: connection, provider: …} with providers: authorize_url: https://id.example/auth, token_url: https://id.example/token (1 operations)",
		`[{"entra":["r"]}]`:                     "security: entra: needs backends[].credential: {kind: on_behalf_of, scope: …} (1 operations)",
		`[{"device":[]}]`:                       "security: device: oauth2 without a flow that a gateway can take is not configured automatically (1 operations)",
		`[{"oidc":[]}]`:                         "security: oidc: openIdConnect is not configured automatically (1 operations)",
		`[{"tls":[]}]`:                          "security: tls: mutualTLS is not configured automatically (1 operations)",
		`[{"we ird":[]}]`:                       "repaired: security scheme we ird is called we_ird|security: we_ird: needs an API key: backends[].credential: {kind: api_key, query: k, value: env:…} (1 operations)",
		`[{"nobody":[]}]`:                       `security: scheme "nobody" is not declared (1 operations)`,
		`[{"key":[],"bearer":[]}]`:              "security: needs several credentials: key, bearer (1 operations)",
		`[{"key":[],"oidc":[]},{"bearer":[]}]`:  "security: bearer: needs backends[].credential: {kind: bearer, value: env:…} (1 operations)",
		`[{"digest":[]},{"tls":[]},{"key":[]}]`: "security: key: needs an API key: backends[].credential: {kind: api_key, header: X-Key, value: env:…} (1 operations)",
		`[{"key":[]},{}]`:                       "",
		`[]`:                                    "",
	} {
		d := importText(t, `{"openapi":"3.2.0","info":{},"servers":[{"url":"https://api.example"}],"paths":{"/x":{"get":{"operationId":"op","security":`+security+`}}},"components":{"securitySchemes":{`+schemes+`}}}`, Options{})
		var got []string
		for _, w := range d.Warnings {
			got = append(got, w.Message)
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%s:\n got %s\nwant %s", security, text, want)
		}
		if string(d.Tools[0].InputSchema) != `{"additionalProperties":false,"properties":{},"type":"object"}` {
			t.Errorf("%s is an argument: %s", security, d.Tools[0].InputSchema)
		}
	}
}
