package openapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

const (
	maxFiles = 10_000
	maxHops  = 32
)

// file is one document that was read: the root or something it refers to.
type file struct {
	name    string   // as shown in warnings: the path as typed, or the URL
	dir     string   // of a local file, slash-separated and relative to the root document's directory
	url     *url.URL // of a remote file
	root    *node
	anchors map[string]*node // built on the first use

	resources *resources // built on the first use
}

// library holds every file of one import and follows references between them, under the rules of §1.2: nothing is read
// that the operator did not place beside the document or allow by name.
type library struct {
	ctx    context.Context
	source Source
	limits Limits
	allow  []string // hosts and directories
	warn   func(n *node, message string)

	base    string // directory of the root document; "" when there are no local files
	files   map[string]*file
	failed  map[string]error
	total   int64
	self    string // $self of the root document (B6)
	rootURL *url.URL
	remote  map[string][sha256.Size]byte // of what was read by reference, by URL
	within  int                          // references in the middle of pointers that are being resolved
}

func (l *library) loadRoot() (*file, error) {
	data, f, err := l.readRoot()
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > l.limits.Document {
		return nil, fmt.Errorf("document is larger than %s", sizeText(l.limits.Document))
	}
	l.total = int64(len(data))
	if f.root, err = readTree(data, f, l.warn); err != nil {
		return nil, err
	}
	l.self = strings.TrimSuffix(f.root.strAt("$self"), "#")
	return f, nil
}

func (l *library) readRoot() ([]byte, *file, error) {
	location := l.source.Location
	f := &file{name: location}
	if strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://") {
		u, err := url.Parse(location)
		if err != nil || u.User != nil {
			return nil, nil, errors.New("the document's URL is not valid, or holds a credential")
		}
		f.url, l.rootURL = u, u
		l.files[withoutFragment(u)] = f
		if l.source.Data != nil {
			return l.source.Data, f, nil
		}
		if l.source.Fetch == nil {
			return nil, nil, errors.New("the document is at a URL, and no network is allowed here")
		}
		data, err := l.source.Fetch(l.ctx, location)
		return data, f, err
	}
	if rest, ok := strings.CutPrefix(location, "file://"); ok {
		location = rest
	}
	if location == "-" {
		l.base = "."
	} else if location != "" {
		l.base = filepath.Dir(location)
		l.files[filepath.ToSlash(filepath.Base(location))] = f
	}
	if l.source.Data != nil {
		return l.source.Data, f, nil
	}
	if location == "" || location == "-" {
		return nil, nil, errors.New("no document given")
	}
	data, err := readCapped(func() (io.ReadCloser, error) { return os.Open(location) }, l.limits.Document)
	return data, f, err
}

func readCapped(open func() (io.ReadCloser, error), limit int64) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("document is larger than %s", sizeText(limit))
	}
	return data, nil
}

func withoutFragment(u *url.URL) string {
	v := *u
	v.Fragment, v.RawFragment = "", ""
	return v.String()
}

// follow returns what a reference leads to, through references to references. The node given holds "$ref".
func (l *library) follow(n *node) (*node, error) {
	for hops := 0; ; hops++ {
		ref := n.get("$ref")
		if ref == nil || ref.kind != stringKind {
			return n, nil
		}
		if hops >= maxHops {
			return nil, fmt.Errorf("reference not found: %s leads through more than %d others", shorten(ref.text, 200), maxHops)
		}
		target, err := l.resolve(n, ref.text)
		if err != nil {
			return nil, err
		}
		n = target
	}
}

// resolve finds what the reference of a node names: in its document, in what lies beside it, or in the schema it is a part
// of. A resource with an absolute $id is never fetched.
func (l *library) resolve(n *node, ref string) (*node, error) {
	if strings.Contains(ref, "://") {
		if target := l.embedded(n, ref); target != nil {
			return target, nil
		}
	}
	if len(ref) > 1 && ref[0] == '#' && ref[1] != '/' {
		if target := l.ownAnchor(n, ref[1:]); target != nil {
			return target, nil
		}
	}
	target, err := l.lookup(n.file, ref)
	if err != nil {
		if inside := l.embedded(n, ref); inside != nil {
			return inside, nil
		}
	}
	return target, err
}

// part goes down from n by keys, through references on the way: documents in many files have their paths and components
// in others. What cannot be followed is nil.
func (l *library) part(n *node, keys ...string) *node {
	for _, key := range keys {
		n = n.get(key)
		if n.get("$ref") != nil && n.get("$ref").kind == stringKind {
			target, err := l.follow(n)
			if err != nil {
				l.warn(n, referenceText(err))
				return nil
			}
			n = joinItems(n, target)
		}
	}
	return n
}

// lookup finds the node that ref names, seen from a file.
func (l *library) lookup(from *file, ref string) (*node, error) {
	place, fragment, _ := strings.Cut(ref, "#")
	target := from
	if place != "" && place != l.self {
		var err error
		if target, err = l.open(from, place); err != nil {
			return nil, err
		}
	} else if place != "" {
		target = l.rootFile(from)
	}
	n, ok := l.walk(target, fragment)
	if !ok {
		return nil, fmt.Errorf("reference not found: %s", shorten(ref, 200))
	}
	return n, nil
}

func (l *library) rootFile(fallback *file) *file {
	for _, f := range l.files {
		if f.name == l.source.Location {
			return f
		}
	}
	return fallback
}

// walk follows a JSON pointer or an anchor inside one file.
func (l *library) walk(f *file, fragment string) (*node, bool) {
	if decoded, err := url.PathUnescape(fragment); err == nil {
		fragment = decoded
	}
	n := f.root
	if fragment == "" || fragment == "/" {
		return n, n != nil
	}
	if fragment[0] != '/' {
		return l.anchor(f, fragment)
	}
	for _, token := range strings.Split(fragment[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		next := child(n, token)
		for hops := 0; next == nil && n.get("$ref") != nil && hops < 4; hops++ {
			target, err := l.lookupShallow(n)
			if err != nil {
				return nil, false
			}
			n = target
			next = child(n, token)
		}
		if next == nil {
			return nil, false
		}
		n = next
	}
	return n, true
}

const maxWithin = 3

// lookupShallow resolves a reference in the middle of a pointer: a plain pointer of the same file step by step, one to
// another file as any other. Those are counted, since two pointers could send each other through them for ever.
func (l *library) lookupShallow(n *node) (*node, error) {
	ref := n.strAt("$ref")
	if !strings.HasPrefix(ref, "#/") {
		if l.within >= maxWithin {
			return nil, errors.New("reference not found")
		}
		l.within++
		defer func() { l.within-- }()
		return l.lookup(n.file, ref)
	}
	at := n.file.root
	for _, token := range strings.Split(ref[2:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		if at = child(at, token); at == nil {
			return nil, errors.New("reference not found")
		}
	}
	return at, nil
}

func child(n *node, token string) *node {
	if n.isList() {
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(n.list) {
			return n.list[i]
		}
		return nil
	}
	return n.get(token)
}

// anchor finds $anchor, $dynamicAnchor, or an old $id of the form "#name" (R7g).
func (l *library) anchor(f *file, name string) (*node, bool) {
	if f.anchors == nil {
		f.anchors = map[string]*node{}
		budget := maxNodes
		collectAnchors(f.root, f.anchors, &budget)
	}
	n, ok := f.anchors[name]
	return n, ok
}

func collectAnchors(n *node, into map[string]*node, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	for _, f := range n.sortedFields() {
		switch f.key {
		case "$anchor", "$dynamicAnchor":
			if _, taken := into[f.value.str()]; !taken && f.value.kind == stringKind {
				into[f.value.text] = n
			}
		case "$id":
			if name, ok := strings.CutPrefix(f.value.str(), "#"); ok && name != "" {
				into[name] = n
			}
		}
		collectAnchors(f.value, into, budget)
	}
	for _, item := range n.items() {
		collectAnchors(item, into, budget)
	}
}

// open returns the file that a reference names, reading it on the first use.
func (l *library) open(from *file, place string) (*file, error) {
	key, read, f, err := l.locate(from, place)
	if err != nil {
		return nil, err
	}
	if known := l.files[key]; known != nil {
		return known, nil
	}
	if err := l.failed[key]; err != nil {
		return nil, err
	}
	if err := l.load(read, f); err != nil {
		err = fmt.Errorf("reference not found: %s: %w", shorten(place, 200), err)
		l.failed[key] = err
		return nil, err
	}
	l.files[key] = f
	return f, nil
}

func (l *library) load(read func(limit int64) ([]byte, error), f *file) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if len(l.files) >= maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	data, err := read(l.limits.Total - l.total)
	if err != nil {
		return unpath(err)
	}
	l.total += int64(len(data))
	if l.total > l.limits.Total {
		return fmt.Errorf("the documents are larger than %s together", sizeText(l.limits.Total))
	}
	if f.url != nil {
		if l.remote == nil {
			l.remote = map[string][sha256.Size]byte{}
		}
		l.remote[withoutFragment(f.url)] = sha256.Sum256(data)
	}
	f.root, err = readTree(data, f, l.warn)
	return err
}

// unpath drops the path from an error of the file system: absolute paths are not shown (§15).
func unpath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + "KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// shorten cuts a text to a number of runes.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	count := 0
	for i := range s {
		if count == limit-1 {
			return s[:i] + "…"
		}
		count++
	}
	return s
}

// localFiles lists the files beside the root that were read, as paths.
func (l *library) localFiles() []string {
	var list []string
	for key, f := range l.files {
		switch {
		case f.url != nil || f.name == l.source.Location:
		case filepath.IsAbs(key):
			list = append(list, filepath.FromSlash(key))
		default:
			list = append(list, filepath.Join(l.base, filepath.FromSlash(key)))
		}
	}
	sort.Strings(list)
	return list
}
