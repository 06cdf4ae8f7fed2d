package edge

import "encoding/json"

// Offers is what servers make their lists by of what a client declared: which questions it answers. There are servers that
// have a tool only for clients which can be asked what the tool asks. The result is one of 32 texts and declares nothing that
// the client did not, so that lists can be asked for and kept by it.
func Offers(capabilities json.RawMessage) json.RawMessage {
	all := objectOf(capabilities)
	if all == nil {
		return noCapabilities
	}
	text := ""
	add := func(name string, kinds ...string) {
		of := objectOf(all[name])
		if of == nil {
			return
		}
		inner := ""
		for _, kind := range kinds {
			if objectOf(of[kind]) != nil {
				inner += `,"` + kind + `":{}`
			}
		}
		text += `,"` + name + `":{` + trimmed(inner) + `}`
	}
	add("elicitation", "form", "url")
	add("roots")
	add("sampling", "tools")
	if text == "" {
		return noCapabilities
	}
	return json.RawMessage("{" + trimmed(text) + "}")
}

func trimmed(list string) string {
	if list == "" {
		return ""
	}
	return list[1:]
}

// objectOf returns the members of a JSON object by their very names; nil for what is none.
func objectOf(text json.RawMessage) map[string]json.RawMessage {
	if len(text) < 2 || text[0] != '{' {
		return nil
	}
	all := map[string]json.RawMessage{}
	if json.Unmarshal(text, &all) != nil {
		return nil
	}
	return all
}
