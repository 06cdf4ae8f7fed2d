package strictjson

import (
	"strings"
	"testing"
)

func TestMembersAndElementsStandWhereTheyStand(t *testing.T) {
	body := `{ "jsonrpc":"2.0","id":1,"result" : { "a\u0062" : [ 1.50, "x,]" , {"q":[[]]}, true,null ] , "e":{}, "n":-1e5,"s":"}\"" } }`
	m, err := Decode([]byte(body), Limits{Upstream: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range m.Members(m.Result) {
		got = append(got, one.Key+"="+string(m.Bytes(one.Val)))
	}
	want := `ab=[ 1.50, "x,]" , {"q":[[]]}, true,null ]|e={}|n=-1e5|s="}\""`
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("members\n%s\nwant\n%s", s, want)
	}
	got = nil
	for _, one := range m.Elements(m.Member(m.Result, "ab")) {
		got = append(got, string(m.Bytes(one)))
	}
	if s := strings.Join(got, "|"); s != `1.50|"x,]"|{"q":[[]]}|true|null` {
		t.Errorf("elements %s", s)
	}
	if m.Members(m.ID) != nil || m.Elements(m.Result) != nil || m.Member(m.Result, "z").Present() || len(m.Elements(m.Member(m.Result, "e"))) != 0 {
		t.Error("something was found where nothing is")
	}
}

func TestATextIsComparedAsDecoded(t *testing.T) { // J11
	for value, want := range map[string]bool{
		`"tools/call"`: true, `"tools\/call"`: true, `"\u0074ools/call"`: true, `"Tools/call"`: false, `"tools/call "`: false, `""`: false, `7`: false, `{}`: false,
	} {
		m, err := Decode([]byte(`{"jsonrpc":"2.0","method":"x","params":{"level":`+value+`}}`), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Says(m.Level, "tools/call"); got != want {
			t.Errorf("%s: %t, want %t", value, got, want)
		}
	}
	if new(Message).Says(Span{}, "") {
		t.Error("what is absent says something")
	}
}
