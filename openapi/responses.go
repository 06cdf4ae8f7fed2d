package openapi

import (
	"sort"
	"strconv"
	"strings"
)

// answerPlan is what reading an answer needs to know of the document.
type answerPlan struct {
	types   []string // media types of good answers
	headers []string // declared headers that may be shown, lower case, by name
	output  *outline // nil: no outputSchema
	wrapped bool
}

type declaredAnswers struct {
	plan   answerPlan
	types  []string
	schema *schema // of the good JSON answer (O1)
}

// responses reads what the document says about answers.
func (im *importer) responses(o *rawOperation) declaredAnswers {
	var d declaredAnswers
	v := o.node.get("responses")
	if v != nil && !v.isMap() && !(v.isList() && len(v.list) == 0) {
		im.warn.add(v, "repaired: responses is a mapping")
	}
	good, fallback := map[string]*node{}, (*node)(nil)
	for _, f := range v.fields() {
		key := strings.ToUpper(f.key)
		response, err := im.lib.follow(f.value)
		if err != nil {
			im.warn.add(f.value, referenceText(err))
			continue
		}
		switch {
		case strings.HasPrefix(f.key, "x-"):
		case key == "DEFAULT":
			fallback = response
		case !isStatusKey(key):
			im.warn.add(f.value, "repaired: "+shorten(f.key, 40)+" is not a status; removed") // P16
		case key[0] == '2':
			good[key] = response
		}
	}
	keys := sortedKeys(good)
	sort.SliceStable(keys, func(i, j int) bool { return strings.HasSuffix(keys[j], "XX") && !strings.HasSuffix(keys[i], "XX") })
	for _, k := range keys {
		im.answer(o, good[k], &d)
	}
	if len(keys) == 0 && fallback != nil {
		im.answer(o, fallback, &d)
	}
	sort.Strings(d.plan.headers)
	d.plan.types, d.plan.headers = d.types, unique(d.plan.headers)
	if s := im.outputShape(d.schema); s != nil {
		d.plan.output, d.plan.wrapped = s.root, s.wrapped
	}
	return d
}

func isStatusKey(key string) bool {
	if len(key) != 3 || key[0] < '1' || key[0] > '5' {
		return false
	}
	if key[1:] == "XX" {
		return true
	}
	_, err := strconv.Atoi(key)
	return err == nil
}

func (im *importer) answer(o *rawOperation, response *node, d *declaredAnswers) {
	for _, f := range response.get("headers").fields() {
		if name := strings.ToLower(f.key); shownHeader(name) {
			d.plan.headers = append(d.plan.headers, name)
		}
	}
	if s := response.get("schema"); s != nil && response.get("content") == nil { // 2.0, and its habits in 3.0 documents
		produces := im.mediaList(o, "produces")
		if len(produces) == 0 {
			produces = []string{"application/json"}
		}
		for _, t := range produces {
			im.answerType(t, s, d)
		}
		return
	}
	content := map[string]*node{}
	for _, f := range response.get("content").fields() {
		if t, ok := cleanType(f.key); ok {
			content[t] = f.value.get("schema")
		}
	}
	types := sortedKeys(content) // the order of a document's keys changes no tool
	sort.SliceStable(types, func(i, j int) bool { return mediaRank(types[i]) < mediaRank(types[j]) })
	for _, t := range types {
		im.answerType(t, content[t], d)
	}
}

func (im *importer) answerType(contentType string, s *node, d *declaredAnswers) {
	if !contains(d.types, contentType) {
		d.types = append(d.types, contentType)
	}
	if d.schema == nil && s != nil && (isJSONType(contentType) || essence(contentType) == "*/*") {
		if schema := im.reader.read(s); !(im.merge.flat(schema).types == tString && im.merge.flat(schema).format == "binary") {
			d.schema = schema
		}
	}
}

// shownHeader says whether a header of an answer may be shown when it is declared (§12).
func shownHeader(name string) bool {
	switch name {
	case "etag", "location", "link", "retry-after", "x-total-count", "x-next-page", "deprecation", "sunset":
		return true
	}
	return strings.HasPrefix(name, "x-ratelimit-")
}

// acceptHeader lists the declared types, JSON first (B14).
func acceptHeader(declared []string) string {
	var list []string
	for _, json := range [...]bool{true, false} {
		for _, t := range declared {
			if isJSONType(t) == json && essence(t) != "*/*" && len(list) < 8 {
				list = append(list, t)
			}
		}
	}
	if len(list) == 0 {
		return "application/json, */*;q=0.1"
	}
	for i := 1; i < len(list); i++ {
		list[i] += ";q=0." + strconv.Itoa(max(2, 10-i))
	}
	return strings.Join(list, ", ") + ", */*;q=0.1"
}
