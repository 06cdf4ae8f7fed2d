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

	API         string // v1, or ""
	APIVersion  string // of Azure OpenAI deployments
	UsageOption bool   // accepts stream_options.include_usage

	// Transport is shared by all calls to the backend; whoever uses it outside Pipeline.Do (WebSockets) must attach
	// nothing that is not the backend's own.
	Transport http.RoundTripper
}
