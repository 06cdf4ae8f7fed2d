package openapi

import (
	"errors"
	"net/url"
	"strings"
)

// resources are the JSON Schemas that lie whole inside of a document, with names and definitions of their own (R7g):
// schemas with $id, and those that a generator put into a component with their $defs. References that the document as
// such does not resolve may be theirs.
type resources struct {
	byID   map[string]*node  // by $id, as written and made absolute
	around map[*node]*scope  // of nodes with a reference: the innermost scope
	bases  map[*scope]string // absolute $id, or that of a scope further out

	anchors map[*scope]map[string]*node // of each resource, built on the first use
}

// scope is a schema with $id, $defs or definitions.
type scope struct {
	node  *node
	outer *scope
}

// embedded finds what a reference names among the resources of its file.
func (l *library) embedded(n *node, ref string) *node {
	r := n.file.embeddedResources()
	if r == nil {
		return nil
	}
	place, fragment, _ := strings.Cut(ref, "#")
	if place != "" {
		target := r.byID[place]
		if target == nil {
			target = r.byID[absolute(r.base(r.around[n]), place)]
		}
		return l.below(n.file, target, fragment)
	}
	if fragment == "" || fragment[0] != '/' {
		return nil // the document's anchors are those of its resources, too
	}
	for s := r.around[n]; s != nil; s = s.outer {
		if target := l.below(n.file, s.node, fragment); target != nil {
			return target
		}
	}
	return nil
}

// embeddedResources is the index of a file, built on the first use; nil without a file.
func (f *file) embeddedResources() *resources {
	if f == nil || f.root == nil {
		return nil
	}
	if f.resources == nil {
		r := &resources{byID: map[string]*node{}, around: map[*node]*scope{}, bases: map[*scope]string{}, anchors: map[*scope]map[string]*node{}}
		budget := maxNodes
		r.collect(f.root, nil, &budget)
		f.resources = r
	}
	return f.resources
}

// ownAnchor finds an anchor in the resources around a reference: the same name may stand in another one, too.
func (l *library) ownAnchor(n *node, name string) *node {
	r := n.file.embeddedResources()
	if r == nil {
		return nil
	}
	for s := r.around[n]; s != nil; s = s.outer {
		if r.bases[s] == "" { // definitions alone make no resource
			continue
		}
		if r.anchors[s] == nil {
			r.anchors[s] = map[string]*node{}
			budget := maxNodes
			anchorsOf(s.node, r.anchors[s], &budget)
		}
		if target := r.anchors[s][name]; target != nil {
			return target
		}
	}
	return nil
}

// anchorsOf collects the anchors of a resource, without those of resources that lie inside of it.
func anchorsOf(n *node, into map[string]*node, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	for _, key := range [...]string{"$anchor", "$dynamicAnchor"} {
		if name := n.strAt(key); name != "" && into[name] == nil {
			into[name] = n
		}
	}
	inner := func(child *node) {
		if id := child.strAt("$id"); id == "" || id[0] == '#' {
			anchorsOf(child, into, budget)
		}
	}
	for _, f := range n.sortedFields() {
		inner(f.value)
	}
	for _, item := range n.items() {
		inner(item)
	}
}

// below walks a fragment below a resource. Anchors are looked up in the whole file: its index is there already.
func (l *library) below(f *file, resource *node, fragment string) *node {
	if resource == nil || fragment == "" {
		return resource
	}
	if fragment[0] == '/' {
		f = &file{root: resource}
	}
	target, _ := l.walk(f, fragment)
	return target
}

func (r *resources) collect(n *node, s *scope, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	if n.get("$defs").isMap() || n.get("definitions").isMap() || n.get("$id") != nil && n.get("$id").kind == stringKind {
		s = &scope{n, s}
		if id := n.strAt("$id"); id != "" && id[0] != '#' {
			id = strings.TrimSuffix(id, "#")
			r.bases[s] = absolute(r.base(s.outer), id)
			for _, name := range [...]string{id, r.bases[s]} {
				if r.byID[name] == nil {
					r.byID[name] = n
				}
			}
		}
	}
	if s != nil && n.get("$ref") != nil {
		r.around[n] = s
	}
	for _, f := range n.sortedFields() {
		r.collect(f.value, s, budget)
	}
	for _, item := range n.items() {
		r.collect(item, s, budget)
	}
}

func (r *resources) base(s *scope) string {
	for ; s != nil; s = s.outer {
		if base := r.bases[s]; base != "" {
			return base
		}
	}
	return ""
}

// absolute resolves a reference against a base; without one it stays as it is.
func absolute(base, ref string) string {
	b, err := url.Parse(base)
	u, err2 := url.Parse(ref)
	if errors.Join(err, err2) != nil || base == "" {
		return ref
	}
	return b.ResolveReference(u).String()
}
