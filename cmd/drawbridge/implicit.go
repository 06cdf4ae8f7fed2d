package main

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// strangers returns the transports of backends that a fetched document names on a host other than its own: nobody here
// chose those addresses, so they are dialled through the guard and may only be public ones (openapi.md §9). Backends of
// the configuration, and servers of a local document or of the document's own host, are the operator's word.
func strangers(document string, backends map[string]string, guard *egress.Guard) map[string]http.RoundTripper {
	from, err := url.Parse(document)
	if err != nil || !isURL(document) {
		return nil
	}
	found := map[string]http.RoundTripper{}
	for base, name := range backends {
		if to, err := url.Parse(base); err != nil || to.Hostname() != from.Hostname() {
			found[name] = guardedTransport(guard)
		}
	}
	return found
}

func guardedTransport(guard *egress.Guard) *http.Transport {
	return &http.Transport{
		DialContext: guard.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// transport replaces the pooled transport of backends inside this process and of strangers.
func (b *builder) transport(s *snapshot) func(proxy.BackendConfig) http.RoundTripper {
	return func(c proxy.BackendConfig) http.RoundTripper {
		if t := b.transports[c.Name]; t != nil {
			return t
		}
		if t := s.strangers[c.Name]; t != nil {
			return t
		}
		return nil
	}
}
