package telemetry

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// family is a metric that cannot grow past its cap: further label sets fall into one whose values are "other"
// (operations.md §4.2). Callers choose some of the values: a relay passes tools on that it has not heard of.
type family[V any] struct {
	name     string
	with     func(values ...string) V
	overflow *counter // nil for the overflow counter itself
	series   series[labels, V]
}

// labels are the values of one label set, in the metric's order; what a metric has fewer of is empty.
type labels [7]string

func labelsOf(values []string) (l labels) {
	copy(l[:], values)
	return l
}

// of returns the series of a label set, or that of the others when there are enough.
func (f *family[V]) of(values ...string) V {
	key := labelsOf(values)
	if v, ok := f.series.get(key); ok {
		return v
	}
	if v, ok := f.series.put(key, func() V { return f.with(key[:len(values)]...) }); ok {
		return v
	}
	if f.overflow != nil {
		f.overflow.add(1, f.name)
	}
	for i := range values {
		key[i] = "other"
	}
	return f.with(key[:len(values)]...)
}

type counter struct{ family[prometheus.Counter] }

func (c *counter) add(n float64, values ...string) { c.of(values...).Add(n) }

func (m *Metrics) counter(name, help string, names ...string) *counter {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names)
	m.registry.MustRegister(v)
	return &counter{family[prometheus.Counter]{name: name, with: v.WithLabelValues, overflow: m.overflow, series: series[labels, prometheus.Counter]{most: m.series}}}
}

// histogram is one of durations.
type histogram struct{ family[prometheus.Observer] }

func (m *Metrics) histogram(name, help string, names ...string) *histogram {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durations()}, names)
	m.registry.MustRegister(v)
	return &histogram{family[prometheus.Observer]{name: name, with: v.WithLabelValues, overflow: m.overflow, series: series[labels, prometheus.Observer]{most: m.series}}}
}

// durations are 5 ms doubling to 82 s (operations.md §4.2).
func durations() []float64 { return prometheus.ExponentialBuckets(0.005, 2, 15) }

// series remembers what belongs to a key, up to most keys. Finding by a small struct of texts costs less than joining and
// hashing them one by one, as vectors do.
type series[K comparable, V any] struct {
	most int
	mu   sync.RWMutex
	of   map[K]V
}

func (s *series[K, V]) get(key K) (V, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, ok := s.of[key]
	return v, ok
}

// put returns what belongs to the key, made if nobody did; false: there are enough.
func (s *series[K, V]) put(key K, made func() V) (V, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.of[key]; ok {
		return v, true
	}
	if len(s.of) >= s.most {
		var none V
		return none, false
	}
	if s.of == nil {
		s.of = map[K]V{}
	}
	v := made()
	s.of[key] = v
	return v, true
}

// timed is what counts and times the same thing: what is observed at every call is found in one step.
type timed struct {
	count prometheus.Counter
	time  prometheus.Observer
}

func (t timed) observe(d time.Duration) {
	t.count.Inc()
	t.time.Observe(d.Seconds())
}

// find returns what belongs to the key. Of what is over the cap nothing is remembered: it is made each time.
func (s *series[K, V]) find(key K, made func() V) V {
	if v, ok := s.get(key); ok {
		return v
	}
	if v, ok := s.put(key, made); ok {
		return v
	}
	return made()
}

// statusText is a status as a label. The usual ones cost nothing.
func statusText(status int) string {
	switch status {
	case 200:
		return "200"
	case 202:
		return "202"
	case 401:
		return "401"
	case 429:
		return "429"
	default:
		return strconv.Itoa(status)
	}
}
