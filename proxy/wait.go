package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// toldWait is how long an answer asks to wait: retry-after-ms, else retry-after in seconds or as an HTTP date; 0 when it
// asks for nothing that can be read (llm.md BR-6).
func toldWait(h http.Header, now time.Time) time.Duration {
	if value := first(h, "Retry-After-Ms"); value != "" {
		if ms, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && ms > 0 {
			return seconds(ms / 1000)
		}
	}
	value := strings.TrimSpace(first(h, "Retry-After"))
	if value == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		if s > 0 {
			return seconds(s)
		}
		return 0
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// seconds converts without overflow: a hostile number becomes a day.
func seconds(s float64) time.Duration {
	const day = 24 * time.Hour
	if !(s < day.Seconds()) {
		return day
	}
	return time.Duration(s * float64(time.Second))
}
