package openapi

import (
	"net/url"
	"strconv"
	"strings"
)

// asksForLess says whether an argument's name means paging or selection.
func asksForLess(name string) bool {
	switch strings.ToLower(name) {
	case "limit", "per_page", "perpage", "page_size", "pagesize", "max_results", "maxresults", "top", "page", "offset", "cursor", "after", "since", "fields",
		"select", "filter", "expand", "q", "count", "size", "start", "page_token", "pagetoken", "starting_after":
		return true
	}
	return false
}

// askForLess names the tool's own arguments that make an answer smaller.
func (r *answerReader) askForLess() string {
	var names []string
	for _, a := range r.tool.plan.args {
		if asksForLess(a.name) && len(names) < 8 {
			names = append(names, a.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " Ask for less: " + strings.Join(names, ", ") + "."
}

// next names the next page of an answer that was cut.
func (r *answerReader) next(value any) string {
	object, ok := value.(map[string]any)
	if !ok {
		return ""
	}
	for _, place := range [...]any{object, object["paging"], object["pagination"], object["meta"], object["metadata"], object["links"]} {
		m, _ := place.(map[string]any)
		for _, key := range [...]string{"next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next", "continue", "@odata.nextLink"} {
			text, ok := m[key].(string)
			if !ok || text == "" || len(text) > 500 {
				continue
			}
			if strings.HasPrefix(text, "http") || strings.HasPrefix(text, "/") {
				return r.nextFromURL(text)
			}
			for _, name := range [...]string{key, "cursor", "page_token", "pageToken", "after", "starting_after", "next_page_token", "next"} {
				if r.tool.plan.byName[name] != nil {
					return "More: call again with " + name + "=" + strconv.Quote(text)
				}
			}
		}
	}
	return r.afterLast(object)
}

// afterLast is the place after the last item that is shown, where items themselves are the places (has_more).
func (r *answerReader) afterLast(object map[string]any) string {
	list, _ := object["data"].([]any)
	if _, pages := object["has_more"].(bool); !pages || len(list) == 0 {
		return ""
	}
	last, _ := list[len(list)-1].(map[string]any)
	id, _ := last["id"].(string)
	for _, name := range [...]string{"starting_after", "after"} {
		if id != "" && len(id) < 500 && r.tool.plan.byName[name] != nil {
			return "More: call again with " + name + "=" + strconv.Quote(headerLine(id))
		}
	}
	return ""
}

func (r *answerReader) nextFromURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	var parts []string
	query := u.Query()
	for _, a := range r.tool.plan.args {
		if v := query.Get(a.orig); a.in == "query" && v != "" && len(v) < 500 && isPlace(a.name) {
			parts = append(parts, a.name+"="+strconv.Quote(headerLine(v)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "More: call again with " + strings.Join(parts, ", ")
}

// isPlace says whether an argument tells where in a list an answer starts.
func isPlace(name string) bool {
	switch strings.ToLower(name) {
	case "page", "offset", "cursor", "after", "before", "since", "start", "page_token", "pagetoken", "starting_after", "page_cursor", "page_number", "pagenumber",
		"skip", "skiptoken", "marker", "continue", "next_token", "nexttoken", "continuation_token", "continuationtoken", "start_at", "startat":
		return true
	}
	return false
}
