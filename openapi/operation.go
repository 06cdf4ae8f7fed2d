package openapi

import (
	"sort"
	"strings"
)

// rawOperation is one operation as found in the document, references of its parts followed, parameters joined.
type rawOperation struct {
	method string
	path   string // as written
	id     string
	item   *node
	node   *node
	params []*node // path level first, overridden ones left out (P19)
	reason string  // not "": skipped, and why
}

func (o *rawOperation) key() string { return o.method + " " + o.path }

var itemMethods = [...]string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query", "connect"}

// operations lists every method of every path item, in the document's order (§3). x-ms-paths are Azure's way to tell
// operations apart by their query, which a path's own query does as well (P20).
func (im *importer) operations(root *node) []*rawOperation {
	var all []*rawOperation
	for _, key := range [...]string{"paths", "x-ms-paths"} {
		paths := im.lib.part(root, key)
		if paths != nil && !paths.isMap() {
			im.warn.add(paths, "repaired: "+key+" is a mapping") // P2
		}
		for _, f := range paths.fields() {
			if !strings.HasPrefix(f.key, "x-") {
				all = append(all, im.itemOperations(f.key, f.value)...)
			}
		}
	}
	return all
}

func (im *importer) itemOperations(path string, item *node) []*rawOperation {
	if item.isNull() {
		return nil
	}
	if !item.isMap() {
		im.warn.add(item, "repaired: a path item is a mapping")
		return nil
	}
	target := item
	if item.get("$ref") != nil {
		followed, err := im.lib.follow(item)
		switch {
		case err != nil:
			text := referenceText(err)
			im.warn.add(item, text)
			if !hasOperations(item) {
				return []*rawOperation{{method: "*", path: path, item: item, reason: "reference not found: " + strings.TrimPrefix(text, "reference not found: ")}}
			}
		default:
			target = joinItems(item, followed)
		}
	}
	var all []*rawOperation
	for _, name := range itemMethods {
		if v := target.get(name); v != nil {
			all = append(all, im.rawOperation(strings.ToUpper(name), path, target, v))
		}
	}
	for _, f := range target.get("additionalOperations").fields() {
		all = append(all, im.rawOperation(f.key, path, target, f.value))
	}
	return all
}

func hasOperations(item *node) bool {
	for _, name := range itemMethods {
		if item.get(name) != nil {
			return true
		}
	}
	return len(item.get("additionalOperations").fields()) > 0
}

// joinItems lays what stands beside $ref over what it leads to.
func joinItems(item, target *node) *node {
	if len(item.fields()) == 1 || !target.isMap() {
		return target
	}
	joined := *target
	joined.m = &mapping{}
	for _, f := range target.fields() {
		joined.m.put(f.key, f.value)
	}
	for _, f := range item.fields() {
		if f.key != "$ref" {
			joined.m.put(f.key, f.value)
		}
	}
	return &joined
}

func (im *importer) rawOperation(method, path string, item, v *node) *rawOperation {
	o := &rawOperation{method: method, path: path, item: item, node: v}
	if v.get("$ref") != nil {
		if target, err := im.lib.follow(v); err == nil {
			o.node = target
		} else {
			o.reason = "reference not found: " + strings.TrimPrefix(referenceText(err), "reference not found: ")
			return o
		}
	}
	if !o.node.isMap() {
		o.reason = "operation is not an object" // P24
		return o
	}
	o.id = o.node.strAt("operationId")
	switch {
	case method == "TRACE":
		o.reason = "TRACE is not offered"
	case method == "CONNECT":
		o.reason = "CONNECT is not offered"
	case !validMethod(method):
		o.reason = "the method is not a token of RFC 9110"
	case im.switchedOff(o):
		o.reason = "switched off in the document"
	}
	return o
}

func validMethod(method string) bool { return method != "" && len(method) <= 32 && isToken(method) }

// switchedOff reads x-drawbridge.skip and x-mcp, nearest first (§3).
func (im *importer) switchedOff(o *rawOperation) bool {
	for _, n := range [...]*node{o.node, o.item, im.root} {
		if skip, ok := n.get("x-drawbridge").get("skip").truth(); ok {
			return skip
		}
		if on, ok := n.get("x-mcp").truth(); ok {
			return !on
		}
	}
	return false
}

// extension reads a key of x-drawbridge: the operation's, else the path item's, else the root's.
func (im *importer) extension(o *rawOperation, key string) *node {
	for _, n := range [...]*node{o.node, o.item, im.root} {
		if v := n.get("x-drawbridge").get(key); v != nil {
			return v
		}
	}
	return nil
}

// parameters joins the parameters of path item and operation; the operation's beat the path's, and within one list the
// last one counts (P19).
func (im *importer) parameters(o *rawOperation) []*node {
	type place struct{ in, name string }
	at, in := map[place]int{}, map[place]*node{}
	var list []*node
	for _, owner := range [...]*node{o.item, o.node} {
		v := owner.get("parameters")
		if v != nil && !v.isList() && !v.isNull() && !(v.isMap() && len(v.fields()) == 0) {
			im.warn.add(v, "repaired: parameters is a list")
		}
		for _, item := range v.items() {
			p := im.parameter(item)
			if p == nil {
				continue
			}
			key := place{p.strAt("in"), p.strAt("name")}
			if key.in == "header" {
				key.name = strings.ToLower(key.name)
			}
			if i, ok := at[key]; ok {
				if in[key] == owner {
					im.warn.add(p, "repaired: parameter "+shorten(key.name, 60)+" is repeated; the last one counts")
				}
				list[i], in[key] = p, owner
				continue
			}
			in[key] = owner
			at[key] = len(list)
			list = append(list, p)
		}
	}
	return list
}

// parameter follows one entry of a list of parameters; nil drops it (P7, P9).
func (im *importer) parameter(item *node) *node {
	p, err := im.lib.follow(item)
	if err != nil {
		im.warn.add(item, referenceText(err))
		return nil
	}
	if !p.isMap() {
		im.warn.add(item, "repaired: a parameter is a mapping; dropped")
		return nil
	}
	switch p.strAt("in") {
	case "path", "query", "header", "cookie":
	case "body":
		return p
	case "formData":
	case "querystring": // 3.2: the whole query, by its content
		if im.swagger || len(p.get("content").fields()) == 0 {
			im.warn.add(p, "repaired: parameter in querystring without content is dropped")
			return nil
		}
	default:
		im.warn.add(p, "repaired: parameter without a known place is dropped")
		return nil
	}
	if p.strAt("name") == "" {
		im.warn.add(p, "repaired: parameter without a name is dropped")
		return nil
	}
	return p
}

// sortedKeys lists the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
