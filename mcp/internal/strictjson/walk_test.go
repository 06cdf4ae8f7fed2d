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
