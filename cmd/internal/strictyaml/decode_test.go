package strictyaml

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

type person struct {
	Name  string   `yaml:"name" required:"true" format:"name"`
	Roles []string `yaml:"roles"`
}

// tenant may be written as a text.
type tenant struct {
	ID   string `yaml:"id" required:"true"`
	Name string `yaml:"name"`
}

func (t *tenant) UnmarshalText(text []byte) error {
	if string(text) == "common" {
		return errors.New("common is not a tenant")
	}
	t.ID = string(text)
	return nil
}

// upstream is a text, or a list of members.
type upstream struct {
	Name    string   `yaml:"-"`
	Members []person `yaml:",sequence"`
}

func (u *upstream) UnmarshalText(text []byte) error { u.Name = string(text); return nil }

type limits struct {
	Body int64         `yaml:"body" unit:"size" default:"4MiB" min:"1KiB" max:"1GiB"`
	Wait time.Duration `yaml:"wait" default:"30s" max:"1h"`
	Keep time.Duration `yaml:"keep" zero:"off"`
}

type shared struct {
	Workspace string `yaml:"workspace" available:"false"`
}

type document struct {
	shared
	Listen   string            `yaml:"listen" default:"127.0.0.1:8080" format:"hostport"`
	Public   string            `yaml:"public_url" format:"origin"`
	Level    string            `yaml:"level" default:"info" enum:"debug,info,off" unavailable:"debug"`
	On       bool              `yaml:"on"`
	Regions  int               `yaml:"regions" default:"1" min:"1" max:"64"`
	Ratio    float64           `yaml:"ratio" default:"0.5" min:"0" max:"1"`
	Limits   limits            `yaml:"limits"`
	Breaker  *limits           `yaml:"breaker"`
	People   []person          `yaml:"people"`
	Tenants  []tenant          `yaml:"tenants"`
	Upstream upstream          `yaml:"upstream"`
	Statuses []string          `yaml:"statuses" default:"[429, 500-599]" format:"status"`
	Labels   map[string]string `yaml:"labels" max:"2"`
	Tools    map[string]person `yaml:"tools"`
	Secret   secret.Reference  `yaml:"secret" secret:"strong"`
	Password secret.Reference  `yaml:"password"`
	Fixed    json.RawMessage   `yaml:"fixed"`
	Claims   map[string]any    `yaml:"claims"`
	Later    []person          `yaml:"later" available:"false"`
	Mode     string            `yaml:"mode" available:"false" default:"auto"`
}

var testEnv = map[string]string{
	"HOST": "gw", "EMPTY": "", "KEY": "0123456789abcdef", "WEAK": "changeme", "SHORT": "tooshort", "LINES": "a\nb: c # d", "NESTED": "${HOST}",
}

func options() Options {
	return Options{
		File: "d.yaml", Dir: "/etc/drawbridge",
		Env: func(name string) (string, bool) { v, ok := testEnv[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			switch path {
			case "/etc/drawbridge/key.txt":
				return []byte("0123456789abcdefgh\n"), nil
			case "/etc/drawbridge/big.txt":
				return make([]byte, maxSecret+1), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

func decode(t *testing.T, text string) (document, *Positions, []string) {
	t.Helper()
	var doc document
	pos, faults := Decode([]byte(text), &doc, options())
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = f.String()
	}
	return doc, pos, lines
}

func TestEachFaultHasItsPlaceAndText(t *testing.T) { // C1–C7, §1.2
	for name, c := range map[string]struct{ in, want string }{
		"C3 unknown key":             {"lisen: x\n", `d.yaml:1:1: lisen: unknown key "lisen"; did you mean "listen"?`},
		"C3 unknown nested key":      {"limits:\n  bdoy: 1\n", `d.yaml:2:3: limits.bdoy: unknown key "bdoy"; did you mean "body"?`},
		"C3 nothing near":            {"listen: 127.0.0.1:1\nzzzzzz: 1\n", `d.yaml:2:1: zzzzzz: unknown key "zzzzzz"`},
		"C3 odd key":                 {"\"a b\": 1\n", `d.yaml:1:1: ["a b"]: unknown key "a b"`},
		"C4 repeated key":            {"on: true\nregions: 2\non: false\n", `d.yaml:3:1: on: key "on" is repeated; first in line 1`},
		"C4 repeated in map":         {"labels: {a: b, a: c}\n", `d.yaml:1:16: labels.a: key "a" is repeated; first in line 1`},
		"C4 repeated in free":        {"claims:\n  x: {k: 1, k: 2}\n", `d.yaml:2:13: claims.x.k: key "k" is repeated; first in line 2`},
		"C5 two documents":           {"on: true\n---\non: false\n", `d.yaml:2:1: a second YAML document begins here; one file holds one`},
		"C5 empty":                   {"", `d.yaml:1:1: the file is empty`},
		"C5 only comments":           {"# nothing\n\n", `d.yaml:1:1: the file is empty`},
		"C5 only null":               {"---\n~\n", `d.yaml:1:1: the file is empty`},
		"C2 NUL":                     {"on: true\nx: a\x00b\n", `d.yaml:2:5: must not contain NUL`},
		"C2 invalid UTF-8":           {"on: true\nx: é\xff\n", `d.yaml:2:5: must be UTF-8`},
		"C2 UTF-16":                  {"\xff\xfeo\x00", `d.yaml:1:1: must be UTF-8`},
		"syntax":                     {"on: true\nx: [1\n", `d.yaml:3:1: not YAML: did not find expected ',' or ']'`},
		"syntax tab":                 {"limits:\n\tbody: 1\n", `d.yaml:2:1: not YAML: a tab; lines are indented with spaces`},
		"syntax at":                  {"limits: @x\n", `d.yaml:1:9: not YAML: found character that cannot start any token`},
		"unknown anchor":             {"password: *hunter2\n", `d.yaml:1:11: no anchor of this name comes before this alias`},
		"C6 endless alias":           {"claims: &a {x: *a}\n", `d.yaml:1:13: nesting is deeper than 64`},
		"list as root":               {"- a\n", `d.yaml:1:1: must be a mapping`},
		"C7 yes is no boolean":       {"on: yes\n", `d.yaml:1:5: on: must be true or false`},
		"C7 quoted boolean":          {"on: \"true\"\n", `d.yaml:1:5: on: must be true or false`},
		"C7 True":                    {"on: True\n", `d.yaml:1:5: on: must be true or false`},
		"C7 octal":                   {"regions: 0777\n", `d.yaml:1:10: regions: must be a whole number`},
		"C7 exponent":                {"regions: 1e1\n", `d.yaml:1:10: regions: must be a whole number`},
		"number as text":             {"regions: \"2\"\n", `d.yaml:1:10: regions: must be a whole number`},
		"number too large":           {"regions: 99999999999999999999\n", `d.yaml:1:10: regions: must be a whole number`},
		"above bound":                {"regions: 65\n", `d.yaml:1:10: regions: must be at most 64`},
		"below bound":                {"regions: 0\n", `d.yaml:1:10: regions: must be at least 1`},
		"ratio":                      {"ratio: 1.5\n", `d.yaml:1:8: ratio: must be at most 1`},
		"ratio text":                 {"ratio: .5\n", `d.yaml:1:8: ratio: must be a number`},
		"text wanted":                {"listen: [a]\n", `d.yaml:1:9: listen: must be text`},
		"list wanted":                {"people: alice\n", `d.yaml:1:9: people: must be a list`},
		"mapping wanted":             {"limits: 5\n", `d.yaml:1:9: limits: must be a mapping`},
		"map wanted":                 {"labels: [a]\n", `d.yaml:1:9: labels: must be a mapping`},
		"too many entries":           {"labels: {a: a, b: b, c: c}\n", `d.yaml:1:9: labels: must have at most 2 entries`},
		"empty element":              {"people:\n  -\n", `d.yaml:2:4: people[0]: must not be empty`},
		"required":                   {"people:\n  - roles: [x]\n", `d.yaml:2:5: people[0].name: is required`},
		"required and empty":         {"people:\n  - name: ''\n", `d.yaml:2:11: people[0].name: must not be empty`},
		"required and null":          {"people:\n  - name:\n", `d.yaml:2:5: people[0].name: is required`},
		"name form":                  {"people: [{name: Alice!}]\n", `d.yaml:1:17: people[0].name: must be 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit`},
		"enum":                       {"level: inf\n", `d.yaml:1:8: level: must be one of info, off; did you mean "info"?`},
		"enum far away":              {"level: [x]\n", `d.yaml:1:8: level: must be text`},
		"enum not built":             {"level: debug\n", `d.yaml:1:8: level: "debug" is not available in this version`},
		"key not built":              {"later: [{name: a}]\n", `d.yaml:1:1: later: not available in this version`},
		"key of an embedded struct":  {"workspace: a\n", `d.yaml:1:1: workspace: not available in this version`},
		"value not built":            {"mode: on\n", `d.yaml:1:1: mode: not available in this version`},
		"duration without unit":      {"limits: {wait: 30}\n", `d.yaml:1:16: limits.wait: must be a duration such as 30s or 5m`},
		"duration zero":              {"limits: {wait: 0s}\n", `d.yaml:1:16: limits.wait: must be a duration such as 30s or 5m`},
		"duration negative":          {"limits: {keep: -5s}\n", `d.yaml:1:16: limits.keep: must be a duration such as 30s or 5m`},
		"duration too long":          {"limits: {wait: 2h}\n", `d.yaml:1:16: limits.wait: must be at most 1h`},
		"size in decimal units":      {"limits: {body: 10MB}\n", `d.yaml:1:16: limits.body: must be a size such as 64KiB`},
		"size overflow":              {"limits: {body: 9999999999999GiB}\n", `d.yaml:1:16: limits.body: must be a size such as 64KiB`},
		"size too small":             {"limits: {body: 1}\n", `d.yaml:1:16: limits.body: must be at least 1KiB`},
		"hostport":                   {"listen: localhost\n", `d.yaml:1:9: listen: must be host:port`},
		"port too large":             {"listen: localhost:70000\n", `d.yaml:1:9: listen: must be host:port`},
		"origin with a path":         {"public_url: https://gw.example.com/\n", `d.yaml:1:13: public_url: must be an origin such as https://gw.example.com`},
		"origin with a user":         {"public_url: https://u:p@gw.example.com\n", `d.yaml:1:13: public_url: must be an origin such as https://gw.example.com`},
		"plain http":                 {"public_url: http://gw.example.com\n", `d.yaml:1:13: public_url: http is allowed for loopback only`},
		"status":                     {"statuses: [600]\n", `d.yaml:1:12: statuses[0]: must be a status or range such as 500-599`},
		"status upside down":         {"statuses: [200, 599-500]\n", `d.yaml:1:17: statuses[1]: must be a status or range such as 500-599`},
		"text type refuses":          {"tenants: [common]\n", `d.yaml:1:11: tenants[0]: common is not a tenant`},
		"text type as list":          {"tenants: [[x]]\n", `d.yaml:1:11: tenants[0]: must be text or a mapping`},
		"unset variable":             {"listen: ${NOPE}:80\n", `d.yaml:1:9: listen: environment variable NOPE is not set`},
		"unclosed":                   {"listen: ${HOST\n", `d.yaml:1:9: listen: unclosed ${`},
		"no variable name":           {"listen: ${a b}\n", `d.yaml:1:9: listen: what stands in ${…} must be the name of an environment variable`},
		"literal secret":             {"secret: hunter2hunter2hunter2\n", `d.yaml:1:9: secret: must be a reference, env:NAME or file:PATH`},
		"literal secret with dollar": {"secret: pa${ss}word\n", `d.yaml:1:9: secret: must be a reference, env:NAME or file:PATH`},
		"secret as mapping":          {"secret: {value: x}\n", `d.yaml:1:9: secret: must be a reference, env:NAME or file:PATH`},
		"secret unset":               {"secret: env:NOPE\n", `d.yaml:1:9: secret: environment variable NOPE is not set`},
		"secret empty":               {"secret: env:EMPTY\n", `d.yaml:1:9: secret: environment variable EMPTY is not set`},
		"secret without file":        {"secret: file:nope.txt\n", `d.yaml:1:9: secret: cannot read file nope.txt: file does not exist`},
		"secret too large":           {"secret: file:big.txt\n", `d.yaml:1:9: secret: cannot read file big.txt: larger than 64KiB`},
		"well known secret":          {"secret: env:WEAK\n", `d.yaml:1:9: secret: is too short or well known`},
		"short secret":               {"secret: env:SHORT\n", `d.yaml:1:9: secret: is too short or well known`},
		"key that is no text":        {"{[a]: b}\n", `d.yaml:1:2: a key must be text`},
		"merge of a text":            {"<<: a\n", `d.yaml:1:5: << takes a mapping or a list of mappings`},
		"own tags":                   {"listen: !vault x\n", `d.yaml:1:9: tags are not used in this file`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, got := decode(t, c.in)
			if diff := cmp.Diff([]string{c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAllFaultsComeInFileOrder(t *testing.T) { // C8
	_, _, got := decode(t, "regions: x\npeople:\n  - {nam: a}\non: maybe\n")
	want := []string{
		`d.yaml:1:10: regions: must be a whole number`,
		`d.yaml:3:5: people[0].name: is required`,
		`d.yaml:3:6: people[0].nam: unknown key "nam"; did you mean "name"?`,
		`d.yaml:4:5: on: must be true or false`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMoreThanAHundredFaultsAreCounted(t *testing.T) { // C8
	var b strings.Builder
	for i := range 107 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	_, faults := Decode([]byte(b.String()), &document{}, options())
	limited := Limit(faults)
	if len(limited) != 101 || limited[100].String() != "… and 7 more" {
		t.Errorf("Limit = %d faults, last %q", len(limited), limited[len(limited)-1])
	}
}

func TestGoodValues(t *testing.T) {
	doc, pos, faults := decode(t, `
listen: ${NOPE:-127.0.0.1}:9000
level: off
on: true
limits: {body: 64KiB, wait: 1h, keep: 0}
breaker: {}
people:
  - {name: alice, roles: [on, yes, 0777, 1e3, 2026-11-20, "${HOST}", '$${HOST}', "${LINES}", "${NESTED}", "${EMPTY:-x}"]}
tenants: [abc, {id: def, name: Contoso}]
upstream: [{name: a}]
tools: {getOrder: {name: get}, "GET /x": {name: x}}
secret: env:KEY
password: file:key.txt
fixed: {a: [1, 2.5, true, null, "1", yes]}
claims: {department: sales}
mode: auto
later: []
workspace: ""
`)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for _, c := range []struct{ got, want any }{
		{doc.Listen, "127.0.0.1:9000"}, {doc.Level, "off"}, {doc.On, true}, {doc.Regions, 1}, {doc.Ratio, 0.5},
		{doc.Limits, limits{64 << 10, time.Hour, 0}}, {*doc.Breaker, limits{4 << 20, 30 * time.Second, 0}},
		{doc.People[0].Roles, []string{"on", "yes", "0777", "1e3", "2026-11-20", "gw", "${HOST}", "a\nb: c # d", "${HOST}", "x"}},
		{doc.Tenants, []tenant{{ID: "abc"}, {"def", "Contoso"}}}, {doc.Upstream.Members[0].Name, "a"},
		{doc.Statuses, []string{"429", "500-599"}}, {doc.Secret.Reveal(), "0123456789abcdef"}, {doc.Secret.Source, "env:KEY"},
		{doc.Password.Reveal(), "0123456789abcdefgh"}, {string(doc.Fixed), `{"a":[1,2.5,true,null,"1","yes"]}`},
		{doc.Claims, map[string]any{"department": "sales"}},
		{pos.Value("people[0].roles[1]"), Position{8, 31}}, {pos.Key("tools.getOrder"), Position{11, 9}},
		{pos.Value(`tools["GET /x"].name`), Position{11, 49}}, {pos.Has("regions"), false}, {pos.Has("on"), true},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestAnchorsAndMergeKeysWork(t *testing.T) { // C6
	doc, _, faults := decode(t, "breaker: &b {body: 1KiB, wait: 5s}\nlimits:\n  <<: *b\n  wait: 6s\n")
	if len(faults) > 0 || doc.Limits != (limits{1024, 6 * time.Second, 0}) {
		t.Errorf("limits = %+v, faults %v", doc.Limits, faults)
	}
}

func TestAliasBombIsRefused(t *testing.T) { // C6
	bomb := "claims:\n  a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	_, _, got := decode(t, bomb)
	if len(got) != 1 || !strings.HasSuffix(got[0], "more than 200000 values, aliases included") {
		t.Error(got)
	}
}

func TestSizeAndDepthLimits(t *testing.T) { // C6
	_, _, got := decode(t, "claims: "+strings.Repeat("[", 20000)+strings.Repeat("]", 20000))
	if len(got) != 1 || !strings.HasSuffix(got[0], "nesting is deeper than 64") {
		t.Error(got)
	}
	_, _, got = decode(t, strings.Repeat("#\n", maxBytes/2+1))
	if len(got) != 1 || !strings.HasSuffix(got[0], "the file is larger than 8MiB") {
		t.Error(got)
	}
}

func TestJSONAndByteOrderMarkAreAccepted(t *testing.T) { // C2
	doc, _, faults := decode(t, "\ufeff{\"on\": true, \"regions\": 3, \"people\": null}")
	if len(faults) > 0 || !doc.On || doc.Regions != 3 {
		t.Errorf("%+v, faults %v", doc, faults)
	}
}

func TestDefaultsOfAnEmptyConfiguration(t *testing.T) {
	var doc document
	Defaults(&doc)
	if doc.Listen != "127.0.0.1:8080" || doc.Limits.Wait != 30*time.Second || doc.Breaker != nil || len(doc.Statuses) != 2 {
		t.Errorf("%+v", doc)
	}
}

func TestUnsetSecretsMayBeAllowed(t *testing.T) { // Y1
	o := options()
	o.UnsetSecrets = true
	var doc document
	if _, faults := Decode([]byte("secret: env:NOPE\n"), &doc, o); len(faults) > 0 || !doc.Secret.IsZero() {
		t.Error(faults)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"on: true", "a: &a [*a]", "<<: [*x]", "{a: {b: [c, {d: e}]}}", "limits:\n  wait: ${X:-5s}\n", "? x\n: y", "secret: env:KEY", "%YAML 1.2\n---\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var doc document
		_, faults := Decode(data, &doc, options())
		for _, fault := range faults {
			if strings.Contains(fault.Message, testEnv["KEY"]) {
				t.Error("a secret is told")
			}
		}
	})
}
