package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
	"github.com/drawbridge-mcp/drawbridge/openapi"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

// fetcher gets a URL for an import; nil: addresses are not called.
type fetcher func(ctx context.Context, url string) ([]byte, error)

// bounded makes a fetcher that reads at most so many bytes; 0: maxDocument. nil: addresses are not called.
type bounded func(most int64) fetcher

// to returns the fetcher for documents within limits.
func (b bounded) to(l openapi.Limits) fetcher {
	if b == nil {
		return nil
	}
	return b(l.Document)
}

const (
	maxDocument  = 64 << 20         // openapi.md R6, where import.limits says nothing
	documentTime = 20 * time.Second // R5
	maxRedirects = 3
)

// fetchDocument gets what the operator named: any host, but a redirect may not lead to another one, since that would be
// somebody else's word (R5). anyHTTP allows http to any host; else only to loopback.
func fetchDocument(anyHTTP bool) bounded {
	return func(most int64) fetcher {
		return func(ctx context.Context, address string) ([]byte, error) {
			read, err := fetchChanged(ctx, address, anyHTTP, most, validators{})
			return read.data, err
		}
	}
}

// fetchChanged gets what the operator named unless it is what known stands for.
func fetchChanged(ctx context.Context, address string, anyHTTP bool, most int64, known validators) (fetched, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fetched{}, errors.New("not an http or https URL")
	}
	if u.User != nil {
		return fetched{}, errors.New("a URL with credentials is not fetched")
	}
	if u.Scheme == "http" && !anyHTTP && !strictyaml.Loopback(u.Hostname()) {
		return fetched{}, errors.New("http is allowed for loopback only")
	}
	client := &http.Client{
		Timeout:       documentTime,
		Transport:     &http.Transport{DisableCompression: false, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: documentTime},
		CheckRedirect: sameOrigin,
	}
	defer client.CloseIdleConnections()
	if most <= 0 {
		most = maxDocument
	}
	return get(ctx, client, u, most, known)
}

// fetched is an answer to a conditional request: the bytes with what to ask for them next time, or unchanged.
type fetched struct {
	data      []byte
	unchanged bool
	validators
}

// validators are what a server said about the bytes it gave (RFC 9110 §8.8).
type validators struct{ etag, modified string }

func get(ctx context.Context, client *http.Client, u *url.URL, most int64, known validators) (read fetched, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return read, errors.New("not an http or https URL")
	}
	req.Header.Set("Accept", "application/json, application/yaml, */*;q=0.1")
	req.Header.Set("User-Agent", "drawbridge/"+version)
	if known.etag != "" {
		req.Header.Set("If-None-Match", known.etag)
	} else if known.modified != "" {
		req.Header.Set("If-Modified-Since", known.modified)
	}
	resp, err := client.Do(req)
	if err != nil {
		return read, fmt.Errorf("cannot be fetched: %w", cause(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNotModified && known != (validators{}) {
		return fetched{unchanged: true, validators: known}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return read, fmt.Errorf("cannot be fetched: the server answered %s%s", resp.Status, afterStatus(resp.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return read, fmt.Errorf("cannot be fetched: %w", cause(err))
	}
	if int64(len(data)) > most {
		return read, errors.New("document is larger than " + sizeText(most))
	}
	return fetched{data: data, validators: validators{resp.Header.Get("Etag"), resp.Header.Get("Last-Modified")}}, nil
}

func sizeText(bytes int64) string {
	if bytes%(1<<20) == 0 {
		return fmt.Sprintf("%dMiB", bytes>>20)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// sameOrigin re-checks every redirect: the same scheme, host and port, or from http to https of the same host.
func sameOrigin(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects {
		return errors.New("more than 3 redirects")
	}
	upgraded := first.Scheme == "http" && req.URL.Scheme == "https" && req.URL.Hostname() == first.Hostname()
	if req.URL.User != nil || (req.URL.Scheme != first.Scheme || req.URL.Host != first.Host) && !upgraded {
		return fmt.Errorf("redirected to another origin, %s; if that is the document name that address itself, if it is a sign-in %s",
			shown(req.URL.String()), downloadIt)
	}
	return nil
}

const downloadIt = "download the document and name the file"

// afterStatus is what to do about an answer that is not a document.
func afterStatus(status int) string {
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return "; it wants a sign-in: " + downloadIt
	}
	return ""
}

// cause cuts the method and address that url.Error puts before its cause, and says what to do where that is known.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var untrusted x509.UnknownAuthorityError
	var plain tls.RecordHeaderError
	var name *net.DNSError
	switch {
	case errors.As(err, &untrusted):
		return errors.New("its certificate is signed by nobody whom this computer trusts; SSL_CERT_FILE names a file of authorities to trust")
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("it does not speak TLS; is the address an http:// one?")
	case errors.As(err, &name) && name.IsNotFound:
		return errors.New("there is no host of that name")
	}
	return err
}

// referenceFetcher gets what a document refers to. Its own origin is as good as the document; any other address is the
// word of whoever wrote the document, so it passes the guard (openapi.md R7d). root is "" for a document on disk.
func referenceFetcher(root string, fetch fetcher, e EgressConfig) fetcher {
	guard, err := egress.New(egress.Config{Allow: e.Allow, Deny: e.Deny})
	return func(ctx context.Context, address string) ([]byte, error) {
		if root != "" && originOf(address) == originOf(root) {
			return fetch(ctx, address)
		}
		if err != nil {
			return nil, err
		}
		resp, err := guard.Fetch(ctx, address, egress.Limits{Feature: "OpenAPI", Bytes: maxDocument, Time: documentTime})
		if err != nil {
			return nil, err
		}
		return resp.Body, nil
	}
}

// shown is a SPEC as errors name it: a URL's user and query may hold a secret.
func shown(spec string) string {
	u, err := url.Parse(spec)
	if err != nil || !isURL(spec) {
		return spec
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}
