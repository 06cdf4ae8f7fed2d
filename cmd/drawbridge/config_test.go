package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

// planted is the text of a secret; it must not come out of anything.
const planted = "planted-secret-0123456789"

func testEnv(name string) (string, bool) {
	v, ok := map[string]string{
		"ENTRA_SECRET": planted, "CI_SECRET": planted, "PTU_KEY": planted, "PAYG_KEY": planted, "CI_KEY_1": planted + "-1",
		"CI_KEY_2": planted + "-2", "APP_KEY": planted + "-3", "KEY": planted, "KEY2": planted + "4", "SHORT": "short", "KNOWN": "changeme",
		"SPACES": "a key with spaces in it", "PEM": "no pem at all", "ORDERS_SECRET": planted,
	}[name]
	return v, ok
}

// load writes a configuration and loads it under the name c.yaml.
func load(t *testing.T, text string) (*Config, []Fault, []Fault) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("c.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, errs, warnings := LoadConfig("c.yaml", testEnv)
	return cfg, errs, warnings
}

func lines(faults []Fault) []string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.String()
	}
	return out
}

// Parts that most cases need beside what they are about; they come after it, so that its lines count from 1.
const (
	backendB = "\nbackends: [{name: b, url: 'https://b.example.com'}]\n"
	modelM   = "\nllm: {models: [{name: m, backend: b}]}\n"
	apiA     = "\napis: [{name: a, document: a.yaml, backend: b}]\n"
)

func TestEachMistakeIsToldAtItsPlace(t *testing.T) { // C3, C4, C11–C13, §1.2, oauth.md §2
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"unknown key": {"lisen: 127.0.0.1:1\n", []string{`c.yaml:1:1: lisen: unknown key "lisen"; did you mean "listen"?`}},
		"unknown key of a room": {"backends:\n  - name: b\n    url: https://b\n    timout: 5s\n",
			[]string{`c.yaml:4:5: backends[0].timout: unknown key "timout"; did you mean "timeout"?`}},
		"repeated key": {"listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", []string{`c.yaml:2:1: listen: key "listen" is repeated; first in line 1`}},
		"not built":    {"governance:\n  - {name: a}\n", []string{`c.yaml:1:1: governance: not available in this version`}},
		"public_url with a path": {"public_url: https://gw.example.com/x\n",
			[]string{`c.yaml:1:13: public_url: must be an origin such as https://gw.example.com`}},
		"public_url with a slash": {"public_url: https://gw.example.com/\n",
			[]string{`c.yaml:1:13: public_url: must be an origin such as https://gw.example.com`}},
		"public_url over plain http": {"public_url: http://gw.example.com\n", []string{`c.yaml:1:13: public_url: http is allowed for loopback only`}},
		"public_url missing": {"listen: 0.0.0.0:8080\n",
			[]string{`c.yaml:1:1: public_url: is required unless listen is a loopback address`}},
		"listen":          {"listen: 8080\n", []string{`c.yaml:1:9: listen: must be host:port`}},
		"trusted proxies": {"trusted_proxies: [10.0.0.0/8, nginx]\n", []string{`c.yaml:1:31: trusted_proxies[1]: must be an address or CIDR`}},
		"allowed hosts":   {"allowed_hosts: ['https://a']\n", []string{`c.yaml:1:17: allowed_hosts[0]: must be a host or host:port`}},
		"allowed origins": {"allowed_origins: ['https://a/x']\n",
			[]string{`c.yaml:1:19: allowed_origins[0]: must be an origin such as https://app.example.com`}},
		"tls without key": {"tls: {certificate: env:KEY}\n", []string{`c.yaml:1:6: tls.key: is required beside certificate`}},
		"tls no pair":     {"tls: {certificate: env:PEM, key: env:PEM}\n", []string{`c.yaml:1:6: tls: certificate and key do not make a pair of PEM files`}},
		"database":        {"storage: {database: mysql://x}\n", []string{`c.yaml:1:21: storage.database: must be sqlite:PATH or memory:`}},
		"postgres":        {"storage: {database: postgres://x}\n", []string{`c.yaml:1:21: storage.database: PostgreSQL is not available in this version`}},
		"keys literal":    {"storage: {keys: abc}\n", []string{`c.yaml:1:17: storage.keys: must be a reference, env:NAME or file:PATH`}},
		"provider":        {"sign_in: {provider: google}\n", []string{`c.yaml:1:21: sign_in.provider: must be one of entra, oidc, dev`}},
		"no provider":     {"sign_in: {dev: {people: [{name: a}]}}\n", []string{`c.yaml:1:10: sign_in.provider: is required`}},
		"dev needs loopback": {"public_url: https://gw.example.com\nsign_in:\n  provider: dev\n  dev: {people: [{name: a}]}\n",
			[]string{`c.yaml:3:13: sign_in.provider: dev works only with a loopback public_url`}},
		"wildcard tenant": {"sign_in:\n  provider: entra\n  entra:\n    tenants: [common]\n    client_id: 11111111-aaaa-4bbb-8ccc-000000000001\n    credential: env:KEY\n",
			[]string{`c.yaml:4:15: sign_in.entra.tenants[0]: "common" would let in any organization; list tenant GUIDs`}},
		"personal tenant": {"sign_in:\n  provider: entra\n  entra:\n    tenants: [9188040d-6c67-4c5b-b112-36a304b66dad]\n    client_id: 11111111-aaaa-4bbb-8ccc-000000000001\n    credential: env:KEY\n",
			[]string{`c.yaml:4:15: sign_in.entra.tenants[0]: the tenant of personal accounts is not an organization`}},
		"literal Entra secret": {"sign_in:\n  provider: entra\n  entra:\n    tenants: [72f988bf-0000-4000-8000-00000000000a]\n    client_id: 11111111-aaaa-4bbb-8ccc-000000000001\n    credential: " + planted + "\n",
			[]string{`c.yaml:6:17: sign_in.entra.credential: must be a reference, env:NAME or file:PATH`}},
		"admin rule": {"admins: [role:A, person:x]\n", []string{`c.yaml:1:18: admins[1]: must be role:NAME, group:ID or user:ID`}},
		"group rule while groups are off": {"admins: [group:g]\nsign_in:\n  provider: entra\n  entra: {tenants: [72f988bf-0000-4000-8000-00000000000a], client_id: 11111111-aaaa-4bbb-8ccc-000000000001, credential: env:KEY, groups: off}\n",
			[]string{`c.yaml:1:10: admins[0]: names a group, but sign_in.entra.groups is off`}},
		"code_ttl":            {"oauth: {code_ttl: 11m}\n", []string{`c.yaml:1:19: oauth.code_ttl: must be more than 0 and at most 10m`}},
		"backend without url": {"backends:\n  - name: b\n", []string{`c.yaml:2:5: backends[0].url: is required`}},
		"backend url":         {"backends: [{name: b, url: ftp://x}]\n", []string{`c.yaml:1:27: backends[0].url: must be an absolute http or https URL`}},
		"backend url with query": {"backends: [{name: b, url: 'https://x/?a=b'}]\n",
			[]string{`c.yaml:1:27: backends[0].url: must not have a query`}},
		"backend name":   {"backends: [{name: My Backend, url: 'https://x'}]\n", []string{`c.yaml:1:19: backends[0].name: must be 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit`}},
		"backend twice":  {"backends:\n  - {name: b, url: 'https://x'}\n  - {name: b, url: 'https://y'}\n", []string{`c.yaml:3:12: backends[1].name: another backend is named "b"; first in line 2`}},
		"literal secret": {"backends: [{name: b, url: 'https://x', credential: {kind: bearer, value: " + planted + "}}]\n", []string{`c.yaml:1:74: backends[0].credential.value: must be a reference, env:NAME or file:PATH`}},
		"unset secret": {"backends: [{name: b, url: 'https://x', credential: {kind: bearer, value: env:NOPE}}]\n",
			[]string{`c.yaml:1:74: backends[0].credential.value: environment variable NOPE is not set`}},
		"secret file": {"backends: [{name: b, url: 'https://x', credential: {kind: bearer, value: file:nope}}]\n",
			[]string{`c.yaml:1:74: backends[0].credential.value: cannot read file nope: no such file or directory`}},
		"credential lacks a key": {"backends: [{name: b, url: 'https://x', credential: {kind: basic, username: u}}]\n",
			[]string{`c.yaml:1:52: backends[0].credential.password: is required for kind basic`}},
		"credential of another kind": {"backends: [{name: b, url: 'https://x', credential: {kind: bearer, value: env:KEY, header: X}}]\n",
			[]string{`c.yaml:1:91: backends[0].credential.header: does not belong to kind bearer`}},
		"credential not built": {"backends: [{name: b, url: 'https://x', credential: {kind: aws_sigv4}}]\n",
			[]string{`c.yaml:1:59: backends[0].credential.kind: "aws_sigv4" is not available in this version`}},
		"status list": {"backends:\n  - name: b\n    url: https://x\n    breaker: {statuses: [429, 599-500]}\n",
			[]string{`c.yaml:4:31: backends[0].breaker.statuses[1]: must be a status or range such as 500-599`}},
		"pool of no backend": {"pools: [{name: p, members: [{backend: c}]}]" + backendB, []string{`c.yaml:1:39: pools[0].members[0].backend: no backend is named "c"`}},
		"pool member twice": {"pools: [{name: p, members: [{backend: b}, {backend: b}]}]" + backendB,
			[]string{`c.yaml:1:53: pools[0].members[1].backend: "b" is a member twice`}},
		"pool named as a backend": {"pools: [{name: b, members: [{backend: b}]}]" + backendB, []string{`c.yaml:1:16: pools[0].name: a backend is named "b", too`}},
		"empty pool":              {"pools: [{name: p, members: []}]\n", []string{`c.yaml:1:28: pools[0].members: must not be empty`}},
		"api of no backend":       {"apis: [{name: a, document: a.yaml, backend: bb}]" + backendB, []string{`c.yaml:1:45: apis[0].backend: no backend or pool is named "bb"; did you mean "b"?`}},
		"document over plain http": {"apis: [{name: a, document: 'http://example.com/a.yaml'}]\n",
			[]string{`c.yaml:1:28: apis[0].document: must be a path or an https URL; http is allowed for loopback only`}},
		"unknown profile":   {"apis: [{name: a, document: a.yaml, profile: poor}]\n", []string{`c.yaml:1:45: apis[0].profile: must be one of universal, rich, gemini`}},
		"server of no api":  {"mcp_servers: [{name: s, from: [{api: aa}]}]" + apiA + backendB, []string{`c.yaml:1:38: mcp_servers[0].from[0].api: no API is named "aa"; did you mean "a"?`}},
		"server of nothing": {"mcp_servers: [{name: s}]\n", []string{`c.yaml:1:15: mcp_servers[0].from: is required: what the server is made of, such as [{api: orders}]`}},
		"reserved server":   {"mcp_servers: [{name: llm, from: [{api: a}]}]" + apiA + backendB, []string{`c.yaml:1:22: mcp_servers[0].name: "llm" is an address of the gateway itself`}},
		"server twice":      {"mcp_servers:\n  - {name: s, from: [{api: a}]}\n  - {name: s, from: [{api: a}]}" + apiA + backendB, []string{`c.yaml:3:12: mcp_servers[1].name: another server is named "s"; first in line 2`}},
		"upstream of no backend": {"mcp_servers: [{name: s, from: [{upstream: bb}]}]" + backendB,
			[]string{`c.yaml:1:43: mcp_servers[0].from[0].upstream: no backend is named "bb"; did you mean "b"?`}},
		"upstream beside an api": {"mcp_servers: [{name: s, from: [{api: a, upstream: b}]}]" + apiA + backendB,
			[]string{`c.yaml:1:51: mcp_servers[0].from[0].upstream: stands beside api: a part is one of both`}},
		"era of an api": {"mcp_servers: [{name: s, from: [{api: a, era: legacy}]}]" + apiA + backendB,
			[]string{`c.yaml:1:46: mcp_servers[0].from[0].era: belongs to an upstream`}},
		"upstream twice": {"mcp_servers: [{name: s, from: [{upstream: b, as: x}, {upstream: b, as: b}, {upstream: b}]}]" + backendB,
			[]string{`c.yaml:1:76: mcp_servers[0].from[2]: "b" is the prefix of from[1], too; set as`}},
		"prefix twice": {"mcp_servers: [{name: s, from: [{api: a}, {api: a}]}]" + apiA + backendB,
			[]string{`c.yaml:1:42: mcp_servers[0].from[1]: "a" is the prefix of from[0], too; set as`}},
		"prefix written twice": {"mcp_servers: [{name: s, from: [{api: a, as: x}, {api: a, as: x}]}]" + apiA + backendB,
			[]string{`c.yaml:1:62: mcp_servers[0].from[1].as: "x" is the prefix of from[0], too`}},
		"prefix of another form": {"mcp_servers: [{name: s, from: [{api: a, as: A}, {api: a, as: x__y}, {api: a, as: x-}]}]" + apiA + backendB, []string{
			`c.yaml:1:45: mcp_servers[0].from[0].as: must be 1 to 32 lower case letters and digits, with - between them`,
			`c.yaml:1:62: mcp_servers[0].from[1].as: must be 1 to 32 lower case letters and digits, with - between them`,
			`c.yaml:1:82: mcp_servers[0].from[2].as: must be 1 to 32 lower case letters and digits, with - between them`,
		}},
		"name too long for a prefix": {"mcp_servers: [{name: s, from: [{api: c.d_e}, {api: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]}]\napis: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, document: a.yaml, backend: b}, {name: c.d_e, document: a.yaml, backend: b}]" + backendB,
			[]string{`c.yaml:1:46: mcp_servers[0].from[1]: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" cannot stand before names; set as to 1 to 32 lower case letters and digits, with - between them`}},
		"prefix of the only part": {"mcp_servers: [{name: s, from: [{api: a, as: a_b}]}]" + apiA + backendB,
			[]string{`c.yaml:1:45: mcp_servers[0].from[0].as: must be 1 to 32 lower case letters and digits, with - between them`}},
		"access rule":      {"mcp_servers: [{name: s, from: [{api: a}], access: {roles: ['who:x']}}]" + apiA + backendB, []string{`c.yaml:1:60: mcp_servers[0].access.roles[0]: must be role:NAME, group:ID or user:ID`}},
		"tool scope":       {"mcp_servers: [{name: s, from: [{api: a}], access: {tools: {t: {scope: 'a b'}}}}]" + apiA + backendB, []string{`c.yaml:1:71: mcp_servers[0].access.tools.t.scope: must be one scope of visible ASCII without quotes and backslashes`}},
		"model of no pool": {"llm: {models: [{name: m, backend: bb}]}" + backendB, []string{`c.yaml:1:35: llm.models[0].backend: no backend or pool is named "bb"; did you mean "b"?`}},
		"model twice":      {"llm: {models: [{name: m, backend: b}, {name: m, backend: b}]}" + backendB, []string{`c.yaml:1:46: llm.models[1].name: "m" is already a name of the model "m"`}},
		"model name":       {"llm: {models: [{name: 'a b', backend: b}]}" + backendB, []string{`c.yaml:1:23: llm.models[0].name: must be 1 to 63 of A-Z, a-z, 0-9, '.', '_', '-', '/', ':', beginning and ending with a letter or digit`}},
		"upstream model of no member": {"llm: {models: [{name: m, backend: b, upstream_model: [{backend: x, upstream_model: y}]}]}" + backendB,
			[]string{`c.yaml:1:65: llm.models[0].upstream_model[0].backend: "x" is not a member of "b"`}},
		"grant form":  {"products: [{name: p, grants: [gpt]}]" + backendB + modelM, []string{`c.yaml:1:31: products[0].grants[0]: must be llm:NAME, llm:*, mcp:NAME or mcp:*`}},
		"grant model": {"products: [{name: p, grants: [llm:mm]}]" + backendB + modelM, []string{`c.yaml:1:31: products[0].grants[0]: no model is named "mm"; did you mean "m"?`}},
		"grant server": {"products: [{name: p, grants: [mcp:orders]}]" + backendB + modelM,
			[]string{`c.yaml:1:31: products[0].grants[0]: no server is named "orders"`}},
		"approval": {"products: [{name: p, approval: admin}]\n", []string{`c.yaml:1:32: products[0].approval: "admin" is not available in this version`}},
		"subscription of no product": {"subscriptions: [{name: s, product: q, keys: [env:KEY]}]\nproducts: [{name: product}]\n",
			[]string{`c.yaml:1:36: subscriptions[0].product: no product is named "q"`}},
		"short key":      {"subscriptions: [{name: s, product: p, keys: [env:SHORT]}]\nproducts: [{name: p}]\n", []string{`c.yaml:1:46: subscriptions[0].keys[0]: is too short or well known`}},
		"well-known key": {"subscriptions: [{name: s, product: p, keys: [env:KNOWN]}]\nproducts: [{name: p}]\n", []string{`c.yaml:1:46: subscriptions[0].keys[0]: is too short or well known`}},
		"key with spaces": {"subscriptions: [{name: s, product: p, keys: [env:SPACES]}]\nproducts: [{name: p}]\n",
			[]string{`c.yaml:1:46: subscriptions[0].keys[0]: must be 16 to 512 visible ASCII characters`}},
		"three keys": {"subscriptions: [{name: s, product: p, keys: [env:KEY, env:KEY2, env:APP_KEY]}]\nproducts: [{name: p}]\n",
			[]string{`c.yaml:1:45: subscriptions[0].keys: must have at most 2 entries`}},
		"key of two": {"subscriptions:\n  - {name: s, product: p, keys: [env:KEY]}\n  - {name: t, product: p, keys: [env:KEY]}\nproducts: [{name: p}]\n",
			[]string{`c.yaml:3:34: subscriptions[1].keys[0]: is a key of another subscription, too`}},
		"expires": {"subscriptions: [{name: s, product: p, keys: [env:KEY], expires: soon}]\nproducts: [{name: p}]\n",
			[]string{`c.yaml:1:65: subscriptions[0].expires: must be a date such as 2027-01-31, or 2027-01-31T12:00:00Z`}},
		"support": {"ui: {support: 'javascript:x'}\n", []string{`c.yaml:1:15: ui.support: must begin with mailto: or https://`}},
		"header no client can send": {"backends: [{name: b, url: 'https://x', credential: {kind: api_key, header: 'X Y', value: env:KEY}}]\n",
			[]string{`c.yaml:1:52: backends[0].credential: not a valid header name or value`}},
		"expression names nothing": {"policies:\n  - when: caller.nme == \"x\"\n    rate_limit: {calls: 1}\n",
			[]string{`c.yaml:2:17: policies[0].when: undeclared reference to 'caller.nme' (did you mean 'caller.name'?)`}},
		"expression of a wrong type": {"policies:\n  - rate_limit: {calls: 1, key: 'request.ip + 5'}\n",
			[]string{`c.yaml:2:45: policies[0].rate_limit.key: found no matching overload for '_+_' applied to '(string, int)'`}},
		"expression over several lines": {"policies:\n  - require:\n      that: |\n        true &&\n        foo\n",
			[]string{`c.yaml:3:13: policies[0].require.that: undeclared reference to 'foo'`}},
		"route to nowhere": {"policies:\n  - route: {to: nowhere}\n", []string{`c.yaml:2:17: policies[0].route.to: no backend or pool "nowhere"`}},
		"two policies in one entry": {"policies:\n  - {rate_limit: {calls: 1}, quota: {calls: 2, per: day}}\n",
			[]string{`c.yaml:2:5: policies[0]: must name exactly one policy`}},
		"budget without prices": {"policies: [{cost_budget: {amount: 5, per: day}}]" + backendB + modelM,
			[]string{`c.yaml:1:26: policies[0].cost_budget: needs a price for every model it applies to`}},
		"policies of a tool": {"mcp_servers: [{name: s, from: [{api: a}], access: {tools: {getX: {policies: [{quota: {calls: 1}}]}}}}]" + apiA + backendB,
			[]string{`c.yaml:1:86: mcp_servers[0].access.tools.getX.policies[0].quota.per: is required`}},
		"fragment of no name": {"policies: [{fragment: x}]\n", []string{`c.yaml:1:23: policies[0].fragment: no fragment "x"`}},
		"fragment in itself":  {"fragments: {x: [{fragment: x}]}\n", []string{`c.yaml:1:28: fragments.x[0].fragment: "x" includes itself`}},
		"fault inside a fragment": {"fragments:\n  x:\n    - {when: 'caller.nme', quota: {calls: 1, per: day}}\npolicies: [{fragment: x}, {fragment: x}]\n",
			[]string{`c.yaml:3:21: fragments.x[0].when: undeclared reference to 'caller.nme' (did you mean 'caller.name'?)`}},
		"affinity": {"pools: [{name: p, members: [{backend: b}], affinity: 'request.nope'}]" + backendB,
			[]string{`c.yaml:1:62: pools[0].affinity: undeclared reference to 'request.nope' (did you mean 'request.ip' or 'request.body'?)`}},
		"unknown policy": {"policies:\n  - rate_limt: {calls: 1}\n", []string{`c.yaml:2:5: policies[0].rate_limt: unknown key "rate_limt"; did you mean "rate_limit"?`}},
		"policy without calls": {"policies:\n  - rate_limit: {per: 1m}\n",
			[]string{`c.yaml:2:17: policies[0].rate_limit.calls: is required`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, _ := load(t, c.in)
			if diff := cmp.Diff(c.want, lines(errs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const serverOrders = "\nmcp_servers: [{name: orders, from: [{api: a}]}]\n"

func TestServersOfServiceClientsAreChecked(t *testing.T) { // C12
	_, errs, _ := load(t, "oauth:\n  clients:\n    - {id: ci, secret: env:KEY, grants: [client_credentials], servers: [ordres, llm]}"+serverOrders+apiA+backendB)
	want := []string{`c.yaml:3:73: oauth.clients[0].servers[0]: no server is named "ordres"; did you mean "orders"?`}
	if diff := cmp.Diff(want, lines(errs)); diff != "" {
		t.Error(diff)
	}
}

func TestEgressListsAreChecked(t *testing.T) { // operations.md §12
	_, errs, _ := load(t, "egress:\n  allow: [example.com, 'http://x']\n")
	if len(errs) != 1 || !strings.HasPrefix(errs[0].String(), "c.yaml:2:24: egress.allow[1]: ") {
		t.Error(lines(errs))
	}
}

func TestOneMistakeIsOneFault(t *testing.T) { // C8: no fault that only follows from another
	_, errs, _ := load(t, "public_url: gw\nsign_in: {provider: dve, dev: {people: [{name: a}]}}\nsubscriptions: [{name: s, product: p, keys: [env:NOPE]}]\nproducts: [{name: p, grants: [llm:m]}]\nllm: {models: [{name: m, backend: [b]}]}\n")
	want := []string{
		`c.yaml:1:13: public_url: must be an origin such as https://gw.example.com`,
		`c.yaml:2:21: sign_in.provider: must be one of entra, oidc, dev; did you mean "dev"?`,
		`c.yaml:3:46: subscriptions[0].keys[0]: environment variable NOPE is not set`,
		`c.yaml:5:35: llm.models[0].backend: must be text`,
	}
	if diff := cmp.Diff(want, lines(errs)); diff != "" {
		t.Error(diff)
	}
}

func TestAPoolIsNotBlamedForItsMember(t *testing.T) { // C8
	_, errs, _ := load(t, "backends: [{name: b, url: 'https://b', credential: {kind: bearer, value: env:NOPE}}]\npools: [{name: p, members: [{backend: b}]}]\n")
	want := []string{`c.yaml:1:74: backends[0].credential.value: environment variable NOPE is not set`}
	if diff := cmp.Diff(want, lines(errs)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingServedIsAWarning(t *testing.T) { // C14
	_, errs, warnings := load(t, "listen: 127.0.0.1:8080\n")
	if len(errs) > 0 || len(warnings) != 1 || warnings[0].Warning() != "c.yaml:1:1: warning: nothing is served" {
		t.Error(errs, warnings)
	}
}

func TestWarningsHaveTheirPlace(t *testing.T) { // RL-11, oauth.md §2
	_, errs, warnings := load(t, "policies:\n  - rate_limit: {calls: 1, retry_after: timestamp}\nsign_in:\n  provider: dev\n  dev: {people: [{name: a}]}\n  oidc: {client_id: x}"+apiA+backendB+modelM)
	want := []string{
		"c.yaml:2:41: policies[0].rate_limit.retry_after: warning: SDKs ignore a retry-after of this form",
		"c.yaml:6:9: sign_in.oidc: warning: is not read: provider is dev",
	}
	got := make([]string, len(warnings))
	for i, w := range warnings {
		got[i] = w.Warning()
	}
	if diff := cmp.Diff(want, got); diff != "" || len(errs) > 0 {
		t.Error(diff, lines(errs))
	}
}

func TestPublicURLFollowsALoopbackListener(t *testing.T) {
	for listen, want := range map[string]string{"127.0.0.1:9": "http://127.0.0.1:9", "'[::1]:9'": "http://[::1]:9", "localhost:9": "http://localhost:9"} {
		if cfg, errs, _ := load(t, "listen: "+listen+"\n"); cfg.PublicURL != want || len(errs) > 0 {
			t.Errorf("listen %s: public_url = %q, %v", listen, cfg.PublicURL, errs)
		}
	}
}

func TestMissingFileIsNamed(t *testing.T) { // C5
	t.Chdir(t.TempDir())
	cfg, _, errs, _ := LoadConfig("nope.yaml", testEnv)
	if cfg != nil || len(errs) != 1 || errs[0].String() != "nope.yaml: no such file" {
		t.Error(lines(errs))
	}
	if _, _, errs, _ = LoadConfig(".", testEnv); len(errs) != 1 || errs[0].String() != ".: cannot be read: is a directory" {
		t.Error(lines(errs))
	}
}

func TestGoodFilesAreGood(t *testing.T) { // S2
	t.Chdir("../..")
	files, _ := filepath.Glob("samples/quickstart/*.yaml")
	for _, file := range append(files, "cmd/drawbridge/testdata/config/contract.yaml") {
		_, _, errs, warnings := LoadConfig(file, testEnv)
		if len(errs) > 0 || len(warnings) > 0 {
			t.Errorf("%s: %v %v", file, lines(errs), lines(warnings))
		}
	}
}

func TestLoadingMakesNoFile(t *testing.T) { // C9
	_, _, _ = load(t, "storage: {database: 'sqlite:x.db', keys: 'file:x.json'}\n")
	var names []string
	_ = filepath.WalkDir(".", func(path string, _ fs.DirEntry, _ error) error { names = append(names, path); return nil })
	if fmt.Sprint(names) != "[. c.yaml]" {
		t.Error(names)
	}
}

func TestDefaultsFillANewConfiguration(t *testing.T) {
	cfg := NewConfig()
	if cfg.Listen != "127.0.0.1:8080" || cfg.Limits.LLMBody != 20<<20 || cfg.Limits.MCPBody != 4<<20 || cfg.OAuth.Registration != "open" {
		t.Errorf("%+v", cfg)
	}
	if errs, _ := cfg.Check(); len(errs) > 0 || cfg.PublicURL != "http://127.0.0.1:8080" {
		t.Error(cfg.PublicURL, lines(errs))
	}
}

func TestNoSecretComesOutOfAConfiguration(t *testing.T) { // §1.3
	t.Chdir("../..")
	cfg, _, _, _ := LoadConfig("cmd/drawbridge/testdata/config/contract.yaml", testEnv)
	for _, format := range []string{"%v", "%+v", "%#v"} {
		if strings.Contains(fmt.Sprintf(format, cfg), planted) || strings.Contains(fmt.Sprintf(format, cfg.Backends), planted) {
			t.Errorf("%s tells a secret", format)
		}
	}
}

// FuzzConfig holds that no file, however broken, makes the checks panic, loop or tell a secret (C6, §1.3).
func FuzzConfig(f *testing.F) {
	contract, err := os.ReadFile("testdata/config/contract.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(contract)
	f.Add([]byte("policies: [{when: 'a', rate_limit: {calls: 1}}]"))
	f.Add([]byte("backends: [{name: b, credential: {kind: bearer, value: env:KEY}}]\npools: [{name: b, members: [{}]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, errs, warnings := parseConfig(data, strictyaml.Options{File: "c.yaml", Env: testEnv})
		for _, fault := range append(errs, warnings...) {
			if strings.Contains(fault.String(), planted) {
				t.Error(fault)
			}
		}
	})
}
