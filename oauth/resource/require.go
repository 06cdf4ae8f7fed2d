package resource

import (
	"context"
	"net/http"

	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

// Require is Authenticate for faces that let the refusal be written for them.
func (a *Authenticator) Require(w http.ResponseWriter, r *http.Request, resource string, o Options) (*identity.Caller, bool) {
	caller, refusal := a.Authenticate(r, resource, o)
	if refusal != nil {
		refusal.Write(w)
		return nil, false
	}
	return caller, true
}

type callerKey struct{}

// RequireBearer lets only callers with a good credential for resource through to next, which finds them by CallerFrom.
func (a *Authenticator) RequireBearer(resource string, o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions { // a preflight cannot carry a credential, so it is never challenged
			next.ServeHTTP(w, r)
			return
		}
		if caller, ok := a.Require(w, r, resource, o); ok {
			next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
		}
	})
}

func withCaller(ctx context.Context, c *identity.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller that RequireBearer let through, or nil.
func CallerFrom(ctx context.Context) *identity.Caller {
	c, _ := ctx.Value(callerKey{}).(*identity.Caller)
	return c
}
