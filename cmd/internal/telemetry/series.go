package telemetry

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// labels are the values of one label set, in the metric's order; what a metric has fewer of is empty. A comparable array
// finds a series without joining or hashing texts one by one.
type labels [7]string

func labelsOf(values []string) (l labels) {
	copy(l[:], values)
	return l
}

// counter is a counter vector that cannot grow past its cap: further label sets fall into one whose values are "other".
type counter struct {
	vec      *prometheus.CounterVec
	name     string
	most     int
	overflow *counter // nil for the overflow counter itself

	mu   sync.RWMutex
	seen map[labels]prometheus.Counter // label sets that exist
}

func (m *Metrics) counter(name, help string, names ...string) *counter {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names)
	m.registry.MustRegister(v)
	return &counter{vec: v, name: name, most: m.series, overflow: m.overflow, seen: map[labels]prometheus.Counter{}}
}

func (c *counter) add(n float64, values ...string) {
	key := labelsOf(values)
	c.mu.RLock()
	series := c.seen[key]
	c.mu.RUnlock()
	if series == nil {
		series = c.find(key, len(values))
	}
	series.Add(n)
}

// find makes the series of a label set, or returns that of the others when there are enough.
func (c *counter) find(key labels, n int) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if series := c.seen[key]; series != nil {
		return series
	}
	if len(c.seen) >= c.most {
		if c.overflow != nil {
			c.overflow.add(1, c.name)
		}
		for i := range n {
			key[i] = "other"
		}
		return c.vec.WithLabelValues(key[:n]...)
	}
	series := c.vec.WithLabelValues(key[:n]...)
	c.seen[key] = series
	return series
}

// durations are 5 ms doubling to 82 s (operations.md §4.2).
func durations() []float64 { return prometheus.ExponentialBuckets(0.005, 2, 15) }

// histogram is a histogram of durations that finds its series quickly. Its labels are names of the configuration.
type histogram struct {
	vec *prometheus.HistogramVec

	mu   sync.RWMutex
	seen map[labels]prometheus.Observer
}

func (m *Metrics) histogram(name, help string, names ...string) *histogram {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: durations()}, names)
	m.registry.MustRegister(v)
	return &histogram{vec: v, seen: map[labels]prometheus.Observer{}}
}

func (h *histogram) observe(d time.Duration, values ...string) {
	key := labelsOf(values)
	h.mu.RLock()
	series := h.seen[key]
	h.mu.RUnlock()
	if series == nil {
		h.mu.Lock()
		series = h.vec.WithLabelValues(key[:len(values)]...)
		h.seen[key] = series
		h.mu.Unlock()
	}
	series.Observe(d.Seconds())
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
