package policy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const flightTime = 30 * time.Second // CA-12

// exactCache is the cache policy (llm.md §8.1).
type exactCache struct {
	base
	place        string
	ttl          time.Duration
	vary         *program
	shared       bool
	maxBytes     int64
	toolCalls    bool
	singleFlight bool
}

func (p *exactCache) Admit(ctx context.Context, call *proxy.Call) (proxy.Verdict, error) {
	if call.CacheKey == nil {
		return proxy.Verdict{}, nil
	}
	f := p.facts(call)
	if !p.applies(ctx, f, false) {
		return proxy.Verdict{}, nil
	}
	request := call.CacheKey()
	if request == "" {
		return proxy.Verdict{}, nil // CA-7
	}
	key, err := p.key(ctx, f, request)
	if err != nil {
		p.env.warn(ctx, p.label, "vary", err)
		p.env.cacheResult(p.label, "error")
		return proxy.Verdict{}, nil
	}
	look, store := cacheControl(call.Request.Header)
	if !look {
		p.env.cacheResult(p.label, "bypass")
		return p.miss(key, nil, store), nil
	}
	return p.look(ctx, call, key)
}

func (p *exactCache) look(ctx context.Context, call *proxy.Call, key cacheKey) (proxy.Verdict, error) {
	cache := p.env.deps.Cache
	if entry := cache.get(key, p.env.deps.Now()); entry != nil {
		return p.hit(entry), nil
	}
	if !p.singleFlight || call.Stream {
		p.env.cacheResult(p.label, "miss")
		return p.miss(key, nil, true), nil
	}
	fl, leader := cache.join(key)
	if leader {
		p.env.cacheResult(p.label, "miss")
		return p.miss(key, fl, true), nil
	}
	entry, err := wait(ctx, fl)
	if err != nil {
		return proxy.Verdict{}, err
	}
	if entry != nil {
		return p.hit(entry), nil
	}
	p.env.cacheResult(p.label, "miss")
	return p.miss(key, nil, true), nil
}

// wait waits for an identical request; nil when it failed or took too long.
func wait(ctx context.Context, f *flight) (*proxy.CacheEntry, error) {
	timer := time.NewTimer(flightTime)
	defer timer.Stop()
	select {
	case <-f.done:
		return f.entry, nil
	case <-timer.C:
		return nil, nil
	case <-ctx.Done():
		return nil, &proxy.Error{Kind: proxy.Cancelled, Code: "client_gone", Msg: "The caller has gone.", Err: context.Cause(ctx)}
	}
}

func (p *exactCache) hit(entry *proxy.CacheEntry) proxy.Verdict {
	p.env.cacheResult(p.label, "hit")
	return proxy.Verdict{Answer: entry, Kind: "hit"}
}

// miss stores a complete answer when the call ends, and lets those go who wait for it.
func (p *exactCache) miss(key cacheKey, f *flight, store bool) proxy.Verdict {
	return proxy.Verdict{Kind: "miss", Settle: func(o proxy.Outcome) {
		entry := p.keep(o.Cacheable, store)
		if entry != nil {
			p.env.deps.Cache.put(key, entry, p.env.deps.Now().Add(p.ttl))
		}
		if f != nil {
			p.env.deps.Cache.land(key, f, entry)
		}
	}}
}

func (p *exactCache) keep(entry *proxy.CacheEntry, store bool) *proxy.CacheEntry {
	if entry == nil || !store || entry.ToolCalls && !p.toolCalls || int64(len(entry.Body)) > p.maxBytes {
		return nil
	}
	kept := *entry
	kept.Header = entry.Header.Clone()
	if kept.Created.IsZero() {
		kept.Created = p.env.deps.Now()
	}
	return &kept
}

// key is the hash over partition, vary and the canonical request (CA-6). Lengths stand before the parts, so that no two
// different lists of parts read the same.
func (p *exactCache) key(ctx context.Context, f *facts, request string) (key cacheKey, err error) {
	vary := ""
	if p.vary != nil {
		if vary, err = p.vary.string(ctx, f); err != nil {
			return key, err
		}
	}
	partition := ""
	if !p.shared {
		partition = defaultKey(f.call)
	}
	var buf [2048]byte
	text := buf[:0]
	for _, part := range [...]string{p.place, partition, vary, string(f.call.Surface), f.call.Endpoint, f.call.Model, request} {
		text = append(binary.BigEndian.AppendUint64(text, uint64(len(part))), part...)
	}
	return sha256.Sum256(text), nil
}

// cacheControl reads what the request says about caches (CA-11).
func cacheControl(h http.Header) (look, store bool) {
	look, store = true, true
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			switch strings.ToLower(strings.TrimSpace(directive)) {
			case "no-store":
				look, store = false, false
			case "no-cache":
				look = false
			}
		}
	}
	return look, store
}

func (e *Env) cacheResult(label, result string) {
	if e.deps.Observer != nil {
		e.deps.Observer.CacheResult(label, result)
	}
}
