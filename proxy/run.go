package proxy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// run is one call on its way. It ends once, by close, whoever gets there first: the reader of the answer, a refusal, a
// panic.
type run struct {
	p     *Pipeline
	call  *Call
	start time.Time

	settles []func(Outcome)     // of verdicts, in the order of admission
	headers []func(http.Header) // of verdicts
	holds   [Phases]Hold        // of limits
	cache   string              // hit, semantic, miss or ""

	affinity string // key that keeps calls on one member, or ""
	tried    uint64 // members, by index
	attempts int
	sentAt   time.Time // of the first try; zero: nothing was sent
	reached  bool      // bytes may have reached a backend
	last     *try
	hit      *CacheEntry

	ended sync.Once

	firstTry    try // room for what nearly every call needs once, so that a call is one piece of memory
	firstAnswer Answer
}

func newRun(p *Pipeline, call *Call) *run {
	return &run{p: p, call: call, start: p.deps.Now()}
}

func (r *run) do(ctx context.Context) (answer *Answer, err error) {
	defer func() {
		if v := recover(); v != nil {
			answer, err = nil, r.fail(ctx, &Error{
				Kind: Internal, Code: "internal_error", Type: "server_error", Msg: "The gateway failed. Try again later.",
				Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack()),
			})
		}
	}()
	entry, err := r.admit(ctx)
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	if entry != nil {
		return r.replay(ctx, entry), nil
	}
	if r.call.Local {
		a := &Answer{Status: http.StatusOK, Header: http.Header{}, settle: r.close}
		r.finish(ctx, a)
		return a, nil
	}
	answer, err = r.send(ctx)
	if err != nil {
		return nil, r.fail(ctx, err)
	}
	return answer, nil
}

// fail ends a call without an answer: settled, recorded, headers of the refusal final.
func (r *run) fail(ctx context.Context, err error) *Error {
	e := asError(err)
	if e.Backend == "" && r.last != nil {
		e.Backend = r.last.road.backend.Name
	}
	e.Attempts = r.attempts
	if e.Kind == Internal || e.Kind == Credential {
		r.p.deps.Log.LogAttrs(ctx, slog.LevelError, "call failed",
			slog.String("request_id", r.call.ID), slog.String("code", e.Code), slog.Any("error", e.Err))
	}
	if r.last != nil {
		r.last.abandon()
	}
	outcome := Outcome{Ending: e.ending(), Code: e.Code, Status: e.HTTPStatus()}
	if r.reached && (e.Kind == Timeout || e.Kind == Cancelled || e.Kind == Unreachable) {
		outcome.Usage = r.call.Prompt.estimate() // leaving early and cut answers are not free (AC-3, AC-4)
	}
	r.close(outcome)
	r.respondRefusal(ctx, e)
	return e
}

// estimate is what a prompt costs when nobody reports it.
func (p *Prompt) estimate() Usage {
	n := p.Bound
	if p.Exact != nil {
		n = p.Exact()
	}
	if n == 0 {
		return Usage{Source: UsageNone}
	}
	return Usage{Input: n, Source: UsageEstimated}
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		c := *e // policies may return one value for many calls
		return &c
	}
	return &Error{Kind: Internal, Code: "internal_error", Type: "server_error", Msg: "The gateway failed. Try again later.", Err: err}
}

func (e *Error) ending() Ending {
	switch e.Kind {
	case Refused, Invalid:
		return EndRefused
	case Unavailable, Unreachable, Credential, Overloaded:
		return EndUpstreamError
	case Timeout:
		return EndTimeout
	case Cancelled:
		if e.Code == codeShutdown {
			return EndError
		}
		return EndClientGone
	default:
		return EndError
	}
}

// answerOf makes the Answer of a try that is handed to the caller.
func (r *run) answerOf(ctx context.Context, t *try) *Answer {
	a := &r.firstAnswer
	*a = Answer{
		Status: t.resp.StatusCode, Header: r.p.hygiene.back(t.resp.Header, t.road.back), Upstream: t.resp.Header, Body: t,
		Backend: t.road.backend.Name, Attempts: r.attempts, Cache: r.cache, settle: r.close,
	}
	told := [...]string{a.Backend, strconv.Itoa(r.attempts)}
	a.Header["X-Drawbridge-Backend"] = told[:1:1]
	a.Header["X-Drawbridge-Attempts"] = told[1:]
	if r.cache != "" {
		a.Header["X-Drawbridge-Cache"] = []string{r.cache}
	}
	r.finish(ctx, a)
	return a
}

// replay makes the Answer of a cache hit (CA-10).
func (r *run) replay(ctx context.Context, entry *CacheEntry) *Answer {
	r.hit = entry
	a := &r.firstAnswer
	*a = Answer{Status: entry.Status, Header: make(http.Header, len(entry.Header)+3), Entry: entry, Cache: r.cache, settle: r.close}
	for name, values := range entry.Header {
		if name != "X-Drawbridge-Backend" {
			a.Header[name] = values[:len(values):len(values)] // the entry's own, which nobody changes
		}
	}
	age := max(r.p.deps.Now().Sub(entry.Created), 0)
	told := [...]string{"0", r.cache, strconv.FormatInt(int64(age/time.Second), 10)}
	a.Header["X-Drawbridge-Attempts"] = told[:1:1]
	a.Header["X-Drawbridge-Cache"] = told[1:2:2]
	a.Header["Age"] = told[2:]
	r.finish(ctx, a)
	return a
}

// close is the one accounting exit (PX-11).
func (r *run) close(o Outcome) {
	r.ended.Do(func() {
		defer r.record(&o) // also when a policy panics
		if r.last != nil {
			r.last.ended(o.Ending)
		}
		r.settle(o)
	})
}

// settle runs what verdicts left, last first; one that panics does not keep the others from being settled.
func (r *run) settle(o Outcome) {
	for phase := len(r.holds) - 1; phase >= 0; phase-- {
		if h := r.holds[phase]; h != nil {
			r.settleOne(h.Settle, o)
		}
	}
	for i := len(r.settles) - 1; i >= 0; i-- {
		r.settleOne(r.settles[i], o)
	}
}

func (r *run) settleOne(settle func(Outcome), o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			r.p.deps.Log.Error("settling failed", "request_id", r.call.ID, "error", fmt.Sprint(v))
		}
	}()
	settle(o)
}

func (r *run) record(o *Outcome) {
	if r.p.deps.Recorder == nil || r.call.Local && o.Ending == EndOK { // rows are of what reached a backend or a cache, or was refused
		return
	}
	now, c := r.p.deps.Now(), r.call
	rec := Record{
		ID: newRecordID(now), RequestID: c.ID, Time: r.start.UTC(),
		Subscription: c.Caller.Subscription.ID, Product: c.Caller.Subscription.Product,
		Caller: c.Caller.Subject, ClientID: c.Caller.ClientID, Surface: c.Surface, Endpoint: c.Endpoint,
		Server: c.Server, Tool: c.Tool, Model: c.Model, UpstreamModel: c.Model, Attempts: r.attempts,
		Status: o.Status, Ending: o.Ending, Code: o.Code, Stream: c.Stream, Cache: r.cache,
		Usage: o.Usage, Currency: r.p.currency, Duration: now.Sub(r.start), FirstByte: o.FirstByte,
	}
	if c.Price != nil {
		rec.PriceVersion = c.Price.Version
	}
	if r.last != nil {
		rec.Backend = r.last.road.backend.Name
		rec.Upstream = now.Sub(r.sentAt)
		if rec.Status == 0 {
			rec.Status = r.last.sentStatus()
		}
		if c.UpstreamModel != nil {
			rec.UpstreamModel = c.UpstreamModel(rec.Backend)
		}
	}
	if r.hit == nil {
		rec.CostMicro = c.Price.CostMicro(o.Usage)
	} else {
		r.recordHit(&rec)
	}
	r.p.deps.Recorder.Record(rec)
}

// sentStatus is the status of the answer itself, whatever its first event stands for.
func (t *try) sentStatus() int {
	if t.resp == nil {
		return 0
	}
	return t.resp.StatusCode
}

// recordHit: a hit costs nothing; what it saved is told (AC-7).
func (r *run) recordHit(rec *Record) {
	rec.SavedMicro = r.call.Price.CostMicro(r.hit.Usage)
	rec.Usage = Usage{Source: UsageCache}
	rec.UpstreamModel = ""
	if rec.Status == 0 {
		rec.Status = r.hit.Status
	}
}
