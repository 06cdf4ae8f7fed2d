package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// swaggerBase joins schemes, host and basePath of a 2.0 document.
func (im *importer) swaggerBase(o *rawOperation) (*url.URL, error) {
	host, base := im.root.strAt("host"), im.root.strAt("basePath")
	if base == "" {
		base = "/"
	}
	if host == "" {
		if t := im.root.get("x-ms-parameterized-host"); t != nil {
			return im.azureBase(t, base)
		}
		return im.resolveServer(base, im.root)
	}
	schemes := texts(o.node.get("schemes"))
	if len(schemes) == 0 {
		schemes = texts(im.root.get("schemes"))
	}
	scheme := "https"
	if len(schemes) > 0 && !contains(schemes, "https") {
		scheme = strings.ToLower(schemes[0])
	}
	if !strings.HasPrefix(base, "/") {
		base = "/" + base
	}
	return im.resolveServer(scheme+"://"+host+base, im.root)
}

// serverURL fills the variables of a server object. Arguments never reach them (Q20).
func (im *importer) serverURL(server *node) (*url.URL, error) {
	text := server.strAt("url")
	if server.isScalar() {
		text = server.str()
	}
	if strings.Contains(text, "{{") { // a variable of Postman, which nobody fills here
		im.warn.add(server, fmt.Sprintf("lint: server URL %q has no usable host: set backend", shorten(text, 100)))
		return nil, nil
	}
	variables := server.get("variables")
	var b strings.Builder
	for text != "" {
		open := strings.IndexByte(text, '{')
		shut := strings.IndexByte(text, '}')
		if open < 0 || shut < open {
			break
		}
		name := text[open+1 : shut]
		value, ok := im.options.ServerVariables[name]
		if !ok {
			v := variables.get(name)
			value = v.strAt("default")
			if value == "" && len(v.get("enum").items()) > 0 {
				value = v.get("enum").items()[0].str()
			}
			if value == "" && v.get("default") == nil {
				return nil, fmt.Errorf("server URL: variable %q has no value", shorten(name, 60))
			}
		}
		b.WriteString(text[:open])
		b.WriteString(value)
		text = text[shut+1:]
	}
	b.WriteString(text)
	return im.resolveServer(b.String(), server)
}

// resolveServer makes a server URL absolute, against the document's own URL where there is one (B3).
func (im *importer) resolveServer(text string, at *node) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err == nil && u.Opaque != "" && u.Host == "" && strings.Trim(u.Opaque[:1], "0123456789") == "" {
		err = errors.New("a host and a port without a scheme: localhost:8080")
	}
	if err == nil && u.Scheme == "" && u.Host != "" && im.lib.rootURL == nil {
		im.warn.add(at, fmt.Sprintf("lint: server URL %q has no scheme: read as https", shorten(text, 100)))
		u.Scheme = "https"
	}
	if err != nil || u.IsAbs() && u.User == nil && isHTTP(u) && CheckBase(u) != nil {
		// A placeholder such as https://{your-host}: the tool is offered, and needs a configured backend.
		im.warn.add(at, fmt.Sprintf("lint: server URL %q has no usable host: set backend", shorten(text, 100)))
		return nil, nil
	}
	if !u.IsAbs() && im.lib.rootURL != nil {
		u = im.lib.rootURL.ResolveReference(u)
	}
	if !u.IsAbs() && u.Host == "" {
		if im.doc.RelativeServer == "" {
			im.doc.RelativeServer = text
		}
		im.warn.add(at, fmt.Sprintf("lint: server URL %q is relative: set backend", shorten(text, 100)))
		return nil, nil
	}
	if err := CheckBase(u); err != nil {
		return nil, fmt.Errorf("server URL: %w", err)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func isHTTP(u *url.URL) bool { return u.Scheme == "http" || u.Scheme == "https" }

// CheckBase says what is wrong with a URL that requests are to start with.
func CheckBase(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("scheme %q is neither http nor https", shorten(u.Scheme, 20))
	case u.User != nil:
		return errors.New("it holds a credential")
	case u.Host == "" || u.Hostname() == "":
		return errors.New("it has no host")
	case strings.ContainsAny(u.Host, "{}<>\"\\ %"):
		return errors.New("its host is not valid")
	}
	return nil
}
