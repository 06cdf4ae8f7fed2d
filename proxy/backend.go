package proxy

import (
	"net/http"
	"net/url"
)

// Backend is one place where requests go, as Build sees it. Immutable.
type Backend struct {
	Name   string
	URL    *url.URL // base: scheme, host, base path; never changed by a call
	Region string
	// UserAgent and the rest of the road are the pipeline's.
	Transport http.RoundTripper
}
