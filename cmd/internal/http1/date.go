package http1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dated is the Date field of one second.
type dated struct {
	second int64
	line   string
}

var today atomic.Pointer[dated]

// dateLine is the Date field, made once a second.
func dateLine(now time.Time) string {
	second := now.Unix()
	d := today.Load()
	if d == nil || d.second != second {
		d = &dated{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		today.Store(d)
	}
	return d.line
}
