package authorization

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
)

const (
	maxStepUps = 2 // for one resource and operation; with the sign-in before them three (§16.2)
	maxDrain   = 64 << 10
)

// Transport sends requests with the token of their resource, and gets one when it is asked for. Follow takes the person to
// an address and returns what came back to the redirect address; it is called by one request at a time.
type Transport struct {
	Client *Client
	Base   http.RoundTripper
	Follow func(ctx context.Context, address string) (url.Values, error)

	mu      sync.Mutex
	stepUps map[string]int // by operation
}

// RoundTrip implements http.RoundTripper. The token goes to the resource's own address only.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resource := resourceOf(req.URL)
	for tries := 0; ; tries++ {
		out := req.Clone(req.Context())
		if tries > 0 && req.Body != nil {
			if req.GetBody == nil {
				return nil, errors.New("the request cannot be sent again")
			}
			body, err := req.GetBody()
			if err != nil {
				return nil, fmt.Errorf("read the request again: %w", err)
			}
			out.Body = body
		}
		token, held := t.Client.Token(resource)
		if held {
			out.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := t.Base.RoundTrip(out)
		if err != nil {
			return nil, err
		}
		need := ReadChallenge(resp)
		if need == nil || tries > maxStepUps || !t.mayTry(req, need, tries) {
			return resp, nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		_ = resp.Body.Close()
		if err := t.authorize(req.Context(), resource, need, token); err != nil {
			return nil, fmt.Errorf("sign in: %w", err)
		}
	}
}

// mayTry bounds how often a request is followed by a sign-in: once for a refused token, thrice for a wider scope.
func (t *Transport) mayTry(req *http.Request, need *Required, tries int) bool {
	if need.Code != insufficientScope {
		return tries < 2 // a renewed token may be refused, too
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stepUps == nil {
		t.stepUps = map[string]int{}
	}
	key := resourceOf(req.URL) + " " + req.Method + " " + req.Header.Get("Mcp-Method") + " " + req.Header.Get("Mcp-Name")
	t.stepUps[key]++
	return t.stepUps[key] <= maxStepUps
}

// authorize gets a token, unless another request got one meanwhile.
func (t *Transport) authorize(ctx context.Context, resource string, need *Required, refused string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now, held := t.Client.Token(resource); held && now != refused {
		return nil
	}
	if need.Code != insufficientScope && t.Client.Renew(ctx, resource) {
		return nil
	}
	t.Client.Drop(resource)
	p, err := t.Client.Begin(ctx, resource, need)
	if err != nil {
		return err
	}
	answer, err := t.Follow(ctx, p.URL)
	if err != nil {
		return err
	}
	return t.Client.Finish(ctx, resource, p, answer)
}

// resourceOf is the address of the server a request goes to (RFC 8707 §2): without query and fragment.
func resourceOf(u *url.URL) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return plain.String()
}
