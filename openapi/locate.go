package openapi

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func (l *library) locate(from *file, place string) (string, func(int64) ([]byte, error), *file, error) {
	u, err := url.Parse(place)
	if err != nil {
		return "", nil, nil, fmt.Errorf("reference not found: %s", shorten(place, 200))
	}
	if from.url != nil || u.Scheme == "http" || u.Scheme == "https" {
		return l.locateURL(from, u, place)
	}
	if u.Scheme != "" || path.IsAbs(place) || strings.Contains(place, "\\") || l.base == "" {
		return "", nil, nil, fmt.Errorf("reference leaves the document's directory: %s", shorten(place, 200))
	}
	name := u.Path
	if name == "" {
		name = place
	}
	return l.locateFile(path.Join(from.dir, name), place)
}

// locateFile confines a path to the directory of the root document, or to one that is allowed by name, through os.Root:
// neither dots nor symbolic links lead out of it (R4, R7a).
func (l *library) locateFile(rel, place string) (string, func(int64) ([]byte, error), *file, error) {
	dir, inside := l.base, rel
	if rel == ".." || strings.HasPrefix(rel, "../") {
		allowed := ""
		for _, a := range l.allow {
			a = path.Clean(filepath.ToSlash(a))
			if strings.HasPrefix(rel, a+"/") {
				allowed = a
			}
		}
		if allowed == "" {
			return "", nil, nil, fmt.Errorf("reference leaves the document's directory: %s", shorten(place, 200))
		}
		dir, inside = filepath.Join(l.base, filepath.FromSlash(allowed)), rel[len(allowed)+1:]
	}
	read := func(limit int64) ([]byte, error) {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return readCapped(func() (io.ReadCloser, error) { return root.Open(filepath.FromSlash(inside)) }, limit)
	}
	shown := rel
	if l.base != "." {
		shown = path.Join(filepath.ToSlash(l.base), rel)
	}
	return rel, read, &file{name: shown, dir: path.Dir(rel)}, nil
}

// locateURL decides whether a URL may be fetched: the root's own origin and directory, or a host allowed by name.
func (l *library) locateURL(from *file, u *url.URL, place string) (string, func(int64) ([]byte, error), *file, error) {
	if from.url != nil {
		u = from.url.ResolveReference(u)
	}
	if u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", nil, nil, fmt.Errorf("reference leaves the document's directory: %s", shorten(place, 200))
	}
	sameOrigin := l.rootURL != nil && u.Scheme == l.rootURL.Scheme && strings.EqualFold(u.Host, l.rootURL.Host)
	host := strings.TrimSuffix(strings.ToLower(u.Host), ".")
	named := u.Scheme == "https" && contains(l.allow, host)
	switch {
	case sameOrigin && !named && !below(u.Path, l.rootURL.Path):
		return "", nil, nil, fmt.Errorf("reference leaves the document's directory: %s", shorten(place, 200))
	case !sameOrigin && !named:
		return "", nil, nil, fmt.Errorf("reference to another host not followed: %s (allow it under references)", shorten(host, 200))
	case l.source.Fetch == nil:
		return "", nil, nil, fmt.Errorf("reference not found: %s (no network)", shorten(place, 200))
	}
	key := withoutFragment(u)
	read := func(limit int64) ([]byte, error) {
		data, err := l.source.Fetch(l.ctx, key)
		if int64(len(data)) > limit {
			return nil, fmt.Errorf("the documents are larger than %s together", sizeText(l.limits.Total))
		}
		return data, err
	}
	return key, read, &file{name: key, url: u}, nil
}

// below says whether a URL path lies in the directory of another, dots and doubled encodings considered.
func below(p, root string) bool {
	dir := path.Dir("/" + root)
	if dir != "/" {
		dir += "/"
	}
	return !strings.Contains(p, "%") && strings.HasPrefix(path.Clean("/"+p), dir)
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if strings.EqualFold(s, want) {
			return true
		}
	}
	return false
}
