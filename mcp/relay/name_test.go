package relay

import "testing"

// A definition's name is what stands at "name"; a careless reader would take the last key that looks like it (§4, Q1).
func TestAToolIsKnownByItsVeryName(t *testing.T) {
	for definition, want := range map[string]string{
		`{"name":"safe","Name":"danger"}`: "safe", `{"NAME":"danger","name":"safe"}`: "safe", `{"Name":"danger"}`: "", `{"name":7}`: "", `[]`: "",
	} {
		if got, ok := nameOf([]byte(definition)); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v", definition, got, ok)
		}
	}
}
