package policy

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/drawbridge-mcp/drawbridge/proxy"
)

const (
	cacheShards  = 16
	cacheBytes   = 256 << 20 // CA-13
	entryTrouble = 512       // bytes of an entry beside its body
)

// Cache keeps whole answers in memory, at most so many bytes, the least recently used leave first. One per process; it
// survives reloads.
type Cache struct {
	most   int64 // bytes per shard
	shards [cacheShards]cacheShard
}

type cacheKey [sha256.Size]byte

type cacheShard struct {
	mu      sync.Mutex
	entries map[cacheKey]*list.Element
	lru     *list.List // front: most recently used
	bytes   int64
	flights map[cacheKey]*flight
}

type cached struct {
	key     cacheKey
	entry   *proxy.CacheEntry
	expires time.Time
	bytes   int64
}

// flight is one request on its way that identical ones wait for (CA-12).
type flight struct {
	done  chan struct{}
	entry *proxy.CacheEntry // set before done is closed; nil: it failed
}

// NewCache returns an empty cache of at most so many bytes; 0 means 256 MiB.
func NewCache(maxBytes int64) *Cache {
	if maxBytes <= 0 {
		maxBytes = cacheBytes
	}
	c := &Cache{most: max(maxBytes/cacheShards, 1)}
	for i := range c.shards {
		c.shards[i] = cacheShard{
			entries: map[cacheKey]*list.Element{}, lru: list.New(), flights: map[cacheKey]*flight{},
		}
	}
	return c
}

func (c *Cache) shard(key *cacheKey) *cacheShard { return &c.shards[key[0]%cacheShards] }

func (c *Cache) get(key cacheKey, now time.Time) *proxy.CacheEntry {
	s := c.shard(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	el, ok := s.entries[key]
	if !ok {
		return nil
	}
	item := el.Value.(*cached)
	if !now.Before(item.expires) {
		s.remove(el)
		return nil
	}
	s.lru.MoveToFront(el)
	return item.entry
}

func (c *Cache) put(key cacheKey, entry *proxy.CacheEntry, expires time.Time) {
	item := &cached{key: key, entry: entry, expires: expires, bytes: size(entry)}
	if item.bytes > c.most {
		return
	}
	s := c.shard(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if el, ok := s.entries[key]; ok {
		s.remove(el)
	}
	s.entries[key] = s.lru.PushFront(item)
	s.bytes += item.bytes
	for s.bytes > c.most {
		s.remove(s.lru.Back())
	}
}

func (s *cacheShard) remove(el *list.Element) {
	item := s.lru.Remove(el).(*cached)
	delete(s.entries, item.key)
	s.bytes -= item.bytes
}

func size(entry *proxy.CacheEntry) int64 {
	n := entryTrouble + len(entry.Body)
	for name, values := range entry.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return int64(n)
}

// Bytes returns how much is kept; for tests and metrics.
func (c *Cache) Bytes() int64 {
	var n int64
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += s.bytes
		s.mu.Unlock()
	}
	return n
}

// join finds the flight of a key, or starts one; leader says which.
func (c *Cache) join(key cacheKey) (f *flight, leader bool) {
	s := c.shard(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.flights[key]; ok {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	s.flights[key] = f
	return f, true
}

// land ends a flight: those who wait get the entry, or go by themselves.
func (c *Cache) land(key cacheKey, f *flight, entry *proxy.CacheEntry) {
	s := c.shard(&key)
	s.mu.Lock()
	delete(s.flights, key)
	s.mu.Unlock()
	f.entry = entry
	close(f.done)
}
