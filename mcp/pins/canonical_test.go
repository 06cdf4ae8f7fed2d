package pins

import (
	"encoding/json"
	"testing"
)

// Clients that do not mind the case of keys read the last spelling.
func TestAKeyInAnotherSpellingIsAChange(t *testing.T) { // Q1
	approved, _ := Hash(json.RawMessage(`{"name":"a","description":"old"}`))
	for _, other := range []string{
		`{"name":"a","description":"old","Description":"evil"}`, `{"name":"a","description":"old","deſcription":"evil"}`,
		`{"NAME":"b","name":"a","description":"old"}`, `{"name":"a","description":"old","inputschema":{}}`,
	} {
		if hash, err := Hash(json.RawMessage(other)); err != nil || hash == approved {
			t.Errorf("%s: %s, %v", other, hash, err)
		}
	}
	if hash, _ := Hash(json.RawMessage(`{"name":"a","description":"old","_META":{},"descriptions":1}`)); hash != approved {
		t.Error("what is none of them is a change")
	}
}
