package entra

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// maxRechecks bounds the memory of recent answers.
const maxRechecks = 10_000

// recheck asks the provider about one person once, however many of their clients refresh at the same time, and takes
// that answer for a few seconds more (oauth.md §11.7).
type recheck struct {
	window time.Duration
	now    func() time.Time
	flight singleflight.Group

	mu     sync.Mutex
	recent map[string]checked // by subject
}

type checked struct {
	id  oauth.Identity
	old string // refresh token that was sent
	up  oauth.Upstream
}

func newRecheck(window time.Duration, now func() time.Time) *recheck {
	return &recheck{window: window, now: now, recent: map[string]checked{}}
}

// do runs ask, or takes a recent answer about the same person. Whoever sent the same refresh token gets the new one;
// a grant with another refresh token keeps its own.
func (r *recheck) do(ctx context.Context, id oauth.Identity, u oauth.Upstream, ask func(context.Context) (oauth.Identity, oauth.Upstream, error)) (oauth.Identity, oauth.Upstream, error) {
	if c, ok := r.lookup(id.Subject); ok {
		return c.forGrant(id, u)
	}
	v, err, _ := r.flight.Do(id.Subject, func() (any, error) {
		if c, ok := r.lookup(id.Subject); ok {
			return c, nil
		}
		// The first caller may go away; the others still wait for this answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*requestTimeout)
		defer cancel()
		next, up, err := ask(ctx)
		if err != nil {
			return nil, answered{err: err, token: u.RefreshToken}
		}
		c := checked{id: next, old: u.RefreshToken, up: up}
		r.remember(id.Subject, c)
		return c, nil
	})
	var a answered
	if errors.As(err, &a) {
		if a.token != u.RefreshToken && !isUnavailable(a.err) {
			return ask(ctx) // a no to another grant's token says nothing about ours
		}
		return id, u, a.err
	}
	if err != nil {
		return id, u, unavailable(err)
	}
	return v.(checked).forGrant(id, u)
}

// answered carries a refusal together with the token it was about.
type answered struct {
	err   error
	token string
}

func (a answered) Error() string { return a.err.Error() }
func (a answered) Unwrap() error { return a.err }

func isUnavailable(err error) bool {
	var e *oauth.Error
	return errors.As(err, &e) && e.Code == oauth.TemporarilyUnavailable
}

func (c checked) forGrant(id oauth.Identity, u oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	next := c.id
	next.AuthTime, next.SID = id.AuthTime, id.SID
	if u.RefreshToken == c.old || u.RefreshToken == c.up.RefreshToken {
		return next, c.up, nil
	}
	u.Checked = c.up.Checked
	return next, u, nil
}

func (r *recheck) lookup(subject string) (checked, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.recent[subject]
	if !ok || r.now().Sub(c.up.Checked) > r.window {
		return checked{}, false
	}
	return c, true
}

func (r *recheck) remember(subject string, c checked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recent) >= maxRechecks {
		for k, v := range r.recent {
			if r.now().Sub(v.up.Checked) > r.window {
				delete(r.recent, k)
			}
		}
		if len(r.recent) >= maxRechecks {
			clear(r.recent) // only a cache: asking once more is all it costs
		}
	}
	r.recent[subject] = c
}
