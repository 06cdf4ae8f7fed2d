package listing

import (
	"container/list"
	"sync"
)

// Kept remembers values by key; the least recently used ones go when there are many, or when they are large together.
// Safe for concurrent use.
type Kept[V any] struct {
	most, mostBytes int

	mu    sync.Mutex
	byKey map[string]*list.Element // of *one[V]
	byUse *list.List               // most recent first
	bytes int
}

type one[V any] struct {
	key   string
	value V
	bytes int
}

// NewKept returns a memory of at most so many values and bytes; the newest value is kept however large it is.
func NewKept[V any](most, mostBytes int) *Kept[V] {
	return &Kept[V]{most: most, mostBytes: mostBytes, byKey: map[string]*list.Element{}, byUse: list.New()}
}

// Get returns the value of key.
func (k *Kept[V]) Get(key string) (value V, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, ok := k.byKey[key]
	if !ok {
		return value, false
	}
	k.byUse.MoveToFront(e)
	return e.Value.(*one[V]).value, true
}

// Make returns the value of key, which it makes when there is none. made must be quick: nobody else gets in meanwhile.
func (k *Kept[V]) Make(key string, made func() (value V, bytes int)) V {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		k.byUse.MoveToFront(e)
		return e.Value.(*one[V]).value
	}
	value, bytes := made()
	k.byKey[key] = k.byUse.PushFront(&one[V]{key, value, bytes})
	k.bytes += bytes
	k.shrink()
	return value
}

// Grow says that the value of key has become larger.
func (k *Kept[V]) Grow(key string, bytes int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		e.Value.(*one[V]).bytes += bytes
		k.bytes += bytes
		k.shrink()
	}
}

// Delete forgets the value of key.
func (k *Kept[V]) Delete(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, ok := k.byKey[key]; ok {
		k.remove(e)
	}
}

// Find returns the most recent value that fits, if it is still remembered.
func (k *Kept[V]) Find(fits func(V) bool) (value V, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := k.byUse.Front(); e != nil; e = e.Next() {
		if v := e.Value.(*one[V]).value; fits(v) {
			return v, true
		}
	}
	return value, false
}

func (k *Kept[V]) shrink() {
	for k.byUse.Len() > 1 && (k.byUse.Len() > k.most || k.bytes > k.mostBytes) {
		k.remove(k.byUse.Back())
	}
}

func (k *Kept[V]) remove(e *list.Element) {
	gone := k.byUse.Remove(e).(*one[V])
	delete(k.byKey, gone.key)
	k.bytes -= gone.bytes
}
