package openapi

import "strings"

// jsonMessage finds the words in a JSON error: problem details (RFC 9457) and the customs of others, else the JSON.
func jsonMessage(v any) string {
	object, ok := v.(map[string]any)
	if !ok {
		return compactText(v)
	}
	title, _ := object["title"].(string)
	detail, _ := object["detail"].(string)
	kind, _ := object["type"].(string)
	if title != "" || detail != "" && kind != "" { // the members of RFC 9457 may all be missing
		text := strings.TrimPrefix(strings.TrimSuffix(title+": "+detail, ": "), ": ")
		rest := map[string]any{}
		for k, x := range object {
			if k != "title" && k != "detail" && k != "status" && k != "type" {
				rest[k] = x
			}
		}
		if len(rest) > 0 {
			text += "\n" + compactText(rest)
		}
		return text
	}
	if inner, ok := object["error"].(map[string]any); ok {
		if text, ok := inner["message"].(string); ok && text != "" {
			return text + others(inner, "message") + whereabouts(inner)
		}
	}
	for _, key := range [...]string{"error_description", "message", "msg", "errors", "detail", "error", "reason"} {
		text := ""
		switch x := object[key].(type) {
		case string:
			text = x
		case []any:
			if text = messagesOf(x); text == "" && len(x) > 0 {
				return compactText(v)
			}
		case map[string]any:
			if len(x) > 0 { // what comes after says less
				return compactText(v)
			}
		}
		if text != "" {
			return text + others(object, key)
		}
	}
	return compactText(v)
}

// messagesOf joins the messages of a list of errors; "" when one of them has none, for the JSON then says more.
func messagesOf(list []any) string {
	var texts []string
	for _, item := range list {
		text, _ := item.(string)
		object, _ := item.(map[string]any)
		for _, key := range [...]string{"message", "detail", "title"} {
			if s, ok := object[key].(string); ok && text == "" {
				text = s + others(object, key) + whereabouts(object)
			}
		}
		if text == "" {
			return ""
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "\n")
}

// others shows the details that stand beside a message.
func others(object map[string]any, key string) string {
	for _, k := range [...]string{"errors", "details", "code", "type"} {
		if x, ok := object[k]; ok && k != key && x != nil && !isEmptyValue(x) {
			return "\n" + k + ": " + compactText(x)
		}
	}
	return ""
}

// whereabouts says what a message is about: a message of a list alone often is "is required".
func whereabouts(object map[string]any) string {
	text := ""
	for _, k := range [...]string{"field", "param", "parameter", "property", "attribute", "pointer", "source", "target", "path", "loc", "location"} {
		if x, ok := object[k]; ok && x != nil && x != "" {
			text += "\n" + k + ": " + compactText(x)
		}
	}
	return text
}

func compactText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(appendValue(nil, v))
}
