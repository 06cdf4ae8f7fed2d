package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Fetch gets a document from an address that someone else chose. Every failure has the same text and takes at least
// MinTime; the cause is logged and wrapped. A 304 is returned when Header asks a conditional question.
func (g *Guard) Fetch(ctx context.Context, rawURL string, l Limits) (*Response, error) {
	l = l.withDefaults()
	start := g.now()
	inTime, cancel := context.WithTimeout(ctx, l.Time)
	defer cancel()
	resp, err := g.fetch(inTime, rawURL, l)
	if err == nil {
		return resp, nil
	}
	g.log.WarnContext(ctx, "fetch refused or failed", "feature", l.Feature, "host", hostOf(rawURL), "cause", err.Error())
	g.pad(ctx, start)
	return nil, &Error{Feature: l.Feature, Cause: err}
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 1 << 20
	}
	if l.Time <= 0 {
		l.Time = 5 * time.Second
	}
	if l.Redirects == 0 {
		l.Redirects = 3
	}
	if l.Accept == "" {
		l.Accept = "*/*"
	}
	return l
}

// pad makes quick refusals last as long as slow ones, so that time tells nothing about a network behind us.
func (g *Guard) pad(ctx context.Context, start time.Time) {
	least := g.cfg.MinTime
	if least == 0 {
		least = 200 * time.Millisecond
	}
	wait := least - g.now().Sub(start)
	if wait <= 0 {
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (g *Guard) fetch(ctx context.Context, rawURL string, l Limits) (*Response, error) {
	u, err := g.checkURL(rawURL)
	if err != nil {
		return nil, err
	}
	for redirects := 0; ; redirects++ {
		resp, err := g.get(ctx, u, l)
		if err != nil {
			return nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return g.read(resp, u, l)
		}
		_ = resp.Body.Close()
		if redirects >= l.Redirects {
			return nil, fmt.Errorf("too many redirects: %w", statusError(resp.StatusCode))
		}
		if u, err = g.redirect(u, resp.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
}

func (g *Guard) get(ctx context.Context, u *url.URL, l Limits) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, values := range l.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
		req.Header.Del(name)
	}
	req.Header.Set("Accept", l.Accept)
	req.Header.Set("User-Agent", "drawbridge")
	resp, err := g.transport.RoundTrip(req) //nolint:bodyclose // read or closed by fetch
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return resp, nil
}

// redirect starts again at the top, and stays at the same origin: http may become https, nothing else changes.
func (g *Guard) redirect(from *url.URL, location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("redirect without location")
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, errors.New("redirect cannot be parsed")
	}
	next, err := g.checkURL(to.String())
	if err != nil {
		return nil, fmt.Errorf("redirect: %w", err)
	}
	upgrade := from.Scheme == "http" && next.Scheme == "https" && strings.EqualFold(from.Hostname(), next.Hostname())
	same := from.Scheme == next.Scheme && strings.EqualFold(from.Host, next.Host)
	if !upgrade && !same {
		return nil, errors.New("redirect to another origin")
	}
	return next, nil
}

func (g *Guard) read(resp *http.Response, u *url.URL, l Limits) (*Response, error) {
	defer func() { _ = resp.Body.Close() }()
	out := &Response{Status: resp.StatusCode, Header: resp.Header, URL: u.String()}
	switch {
	case resp.StatusCode == http.StatusNotModified && conditional(l.Header):
		return out, nil
	case resp.StatusCode != http.StatusOK:
		return nil, statusError(resp.StatusCode)
	case !l.accepts(resp.Header.Get("Content-Type")):
		return nil, errors.New("content type is not accepted")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, l.Bytes+1)) // after decompression
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if int64(len(body)) > l.Bytes {
		return nil, fmt.Errorf("document is larger than %d bytes", l.Bytes)
	}
	out.Body = body
	return out, nil
}

// statusError is an answer with another status than 200. By StatusCode, found with errors.As, a cache of documents tells
// a server that is down from a document that is gone.
type statusError int

func (e statusError) Error() string   { return fmt.Sprintf("status %d", int(e)) }
func (e statusError) StatusCode() int { return int(e) }

func (l Limits) accepts(contentType string) bool {
	if len(l.ContentTypes) == 0 {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	for _, want := range l.ContentTypes {
		prefix, any := strings.CutSuffix(want, "*")
		if media == want || any && strings.HasPrefix(media, prefix) {
			return true
		}
	}
	return false
}

func conditional(h http.Header) bool {
	return h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != ""
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect:
		return true
	}
	return false
}

// hostOf is what the log may say about an address: never a path or a query, which may hold secrets.
func hostOf(rawURL string) string {
	u, err := parseURL(rawURL)
	if err != nil {
		return "?"
	}
	return u.Host
}
