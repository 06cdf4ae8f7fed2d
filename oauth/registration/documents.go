package registration

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
	"github.com/drawbridge-mcp/drawbridge/proxy/identity"
)

const (
	documentBytes   = 5 << 10
	fetchTime       = 5 * time.Second
	fetchesAtOnce   = 8
	fetchesPerMin   = 20 // of one client address
	keepFailure     = 30 * time.Second
	keepStale       = 24 * time.Hour
	leastFailure    = 300 * time.Millisecond
	maxDocuments    = 1000
	maxFetchAddress = 10_000
)

// Fetcher gets a document from an address that a stranger chose; *egress.Guard is one.
type Fetcher interface {
	Fetch(ctx context.Context, rawURL string, l egress.Limits) (*egress.Response, error)
}

// Documents fetches client ID metadata documents and remembers them as long as their servers allow (oauth.md §6.5). It
// lives as long as the process; the zero value of the unexported part is ready.
type Documents struct {
	Fetcher Fetcher
	OwnHost string           // host of public_url: never fetched
	Audit   oauth.Recorder   // nil: none
	Now     func() time.Time // nil means time.Now
	// LeastFailure is how long a failure takes at least, so that its time does not tell a closed port from a silent one;
	// 0 means 300 ms, negative none.
	LeastFailure time.Duration

	mu      sync.Mutex
	entries map[string]*list.Element // guarded by mu
	recent  list.List                // of *entry, the last used first; guarded by mu
	asked   map[string]window        // fetches by client address; guarded by mu
	flight  singleflight.Group
	once    sync.Once
	slots   chan struct{}
}

// entry is what is known about one document.
type entry struct {
	id      string
	client  oauth.Client // of the last good document
	good    time.Time    // when it was fetched; zero: never
	failure error        // of the last fetch; nil: it was good
	until   time.Time    // when to fetch again
}

type window struct {
	since time.Time
	count int
}

// get returns the client that a document describes, fetching it when needed. Errors are *DocumentError.
func (d *Documents) get(ctx context.Context, id string) (oauth.Client, error) {
	start := now(d.Now)
	if e, ok := d.lookup(id); ok && start.Before(e.until) {
		return e.client, e.failure
	}
	if !d.mayFetch(identity.RequestFrom(ctx), start) {
		return oauth.Client{}, &DocumentError{
			Status: http.StatusTooManyRequests, Host: documentHost(id), Text: "too many applications were tried", RetryAfter: time.Minute,
		}
	}
	result := d.flight.DoChan(id, func() (any, error) {
		// One caller's going away must not fail the others that wait for the same document.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*fetchTime)
		defer cancel()
		return d.refresh(ctx, id), nil
	})
	select {
	case <-ctx.Done():
		return oauth.Client{}, failed(id, errNotFetched, ctx.Err())
	case r := <-result:
		e := r.Val.(entry)
		if e.failure != nil {
			d.pad(ctx, start)
		}
		return e.client, e.failure
	}
}

// refresh fetches and decides what counts from now on: the new document, the last good one, or the failure.
func (d *Documents) refresh(ctx context.Context, id string) entry {
	resp, err := d.fetch(ctx, id)
	at := now(d.Now)
	if err != nil {
		return d.failed(ctx, id, at, failed(id, errNotFetched, err), !gone(err))
	}
	client, err := parseDocument(id, resp.Body)
	if err != nil {
		return d.failed(ctx, id, at, failed(id, err, nil), false)
	}
	e := entry{id: id, client: client, good: at, until: at.Add(freshness(resp.Header))}
	d.remember(e)
	d.Audit.Record(ctx, oauth.Event{Name: "document.fetched", ClientID: id, Outcome: oauth.OutcomeOK})
	return e
}

// failed keeps a known good document for a day when the network, not the document, is at fault.
func (d *Documents) failed(ctx context.Context, id string, at time.Time, failure *DocumentError, network bool) entry {
	e := entry{id: id, failure: failure, until: at.Add(keepFailure)}
	if old, ok := d.lookup(id); ok && network && !old.good.IsZero() && at.Sub(old.good) < keepStale {
		e.client, e.good, e.failure = old.client, old.good, nil
	} else {
		d.Audit.Record(ctx, oauth.Event{Name: "document.refused", ClientID: id, Outcome: oauth.OutcomeRefused, Reason: "not_fetched"})
	}
	d.remember(e)
	return e
}

var errNotFetched = errors.New("it could not be fetched")

func failed(id string, text, cause error) *DocumentError {
	return &DocumentError{Status: http.StatusBadRequest, Host: documentHost(id), Text: text.Error(), Err: cause}
}

func (d *Documents) fetch(ctx context.Context, id string) (*egress.Response, error) {
	d.once.Do(func() { d.slots = make(chan struct{}, fetchesAtOnce) })
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	resp, err := d.Fetcher.Fetch(ctx, id, egress.Limits{
		Feature: "client", Bytes: documentBytes, Time: fetchTime, Redirects: -1, Accept: "application/json",
		Header: http.Header{"Accept-Encoding": {"identity"}}, // else the transport asks for gzip and inflates in silence
	})
	switch {
	case err != nil:
		return nil, err
	case resp.Status != http.StatusOK:
		return nil, fmt.Errorf("status %d", resp.Status)
	case !isJSON(resp.Header.Get("Content-Type")):
		return nil, refused("content type is not JSON")
	case resp.Header.Get("Content-Encoding") != "" && !strings.EqualFold(resp.Header.Get("Content-Encoding"), "identity"):
		return nil, refused("compressed")
	}
	return resp, nil
}

// refused is an answer that arrived and is no document: the last good one does not outlive it.
type refused string

func (r refused) Error() string { return string(r) }

// gone reports whether a fetch failed because of what the server said, not because it could not be reached.
func gone(err error) bool {
	var r refused
	if errors.As(err, &r) {
		return true
	}
	var s interface{ StatusCode() int }
	return errors.As(err, &s) && s.StatusCode() >= 300 && s.StatusCode() < 500
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// cached returns a client that was good once, however old: for token requests, which never fetch.
func (d *Documents) cached(id string) (oauth.Client, bool) {
	e, ok := d.lookup(id)
	return e.client, ok && !e.good.IsZero()
}

func (d *Documents) lookup(id string) (entry, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	el, ok := d.entries[id]
	if !ok {
		return entry{}, false
	}
	d.recent.MoveToFront(el)
	return *el.Value.(*entry), true
}

func (d *Documents) remember(e entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries == nil {
		d.entries = map[string]*list.Element{}
	}
	if el, ok := d.entries[e.id]; ok {
		*el.Value.(*entry) = e
		d.recent.MoveToFront(el)
		return
	}
	d.entries[e.id] = d.recent.PushFront(&e)
	if d.recent.Len() > maxDocuments {
		last := d.recent.Back()
		d.recent.Remove(last)
		delete(d.entries, last.Value.(*entry).id)
	}
}

// mayFetch counts fetches by client address, so that nobody uses us to knock at other people's doors.
func (d *Documents) mayFetch(req *identity.Request, at time.Time) bool {
	address := ""
	if req != nil {
		address = req.IP
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked == nil || len(d.asked) >= maxFetchAddress {
		d.asked = map[string]window{}
	}
	w := d.asked[address]
	if age := at.Sub(w.since); age < 0 || age >= time.Minute {
		w = window{since: at}
	}
	w.count++
	d.asked[address] = w
	return w.count <= fetchesPerMin
}

// pad makes all failures last equally long (oauth.md row 95).
func (d *Documents) pad(ctx context.Context, start time.Time) {
	least := d.LeastFailure
	if least == 0 {
		least = leastFailure
	}
	wait := least - now(d.Now).Sub(start)
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
