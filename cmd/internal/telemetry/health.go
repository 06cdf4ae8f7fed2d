package telemetry

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// Health is what /healthz and /readyz tell (operations.md §15). The zero value is starting.
type Health struct {
	Instance string
	Now      func() time.Time // nil: time.Now
	// Checks are asked at each /readyz, each for at most a second; an error marks the check down and the gateway degraded.
	Checks map[string]func(context.Context) error

	mu    sync.Mutex
	state string // starting, ready, draining
	since map[string]time.Time
}

// Set moves to ready or draining.
func (h *Health) Set(state string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = state
}

// Alive answers /healthz: the process works at all.
func (h *Health) Alive(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

type check struct {
	Status string `json:"status"`
	Since  string `json:"since,omitempty"`
}

// Ready answers /readyz: 200 when calls are served, also with checks down; 503 while starting and draining.
func (h *Health) Ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), time.Second)
	defer cancel()
	checks, degraded := map[string]check{}, false
	for name, ask := range h.Checks {
		err := ask(ctx)
		checks[name] = h.note(name, err)
		degraded = degraded || err != nil
	}
	h.mu.Lock()
	status, code := h.state, http.StatusServiceUnavailable
	h.mu.Unlock()
	switch {
	case status == "":
		status = "starting"
	case status == "ready" && degraded:
		status, code = "degraded", http.StatusOK
	case status == "ready":
		code = http.StatusOK
	}
	return c.JSON(code, map[string]any{"status": status, "instance": h.Instance, "checks": checks})
}

func (h *Health) note(name string, err error) check {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.since, name)
		return check{Status: "ok"}
	}
	if h.since == nil {
		h.since = map[string]time.Time{}
	}
	if _, ok := h.since[name]; !ok {
		now := time.Now
		if h.Now != nil {
			now = h.Now
		}
		h.since[name] = now().UTC()
	}
	return check{Status: "down", Since: h.since[name].Format(time.RFC3339)}
}
