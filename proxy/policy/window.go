package policy

import (
	"fmt"
	"time"
)

// window is how a limit looks at time: a sliding interval, or a calendar window in UTC (RL-2, RL-10).
type window struct {
	length time.Duration // sliding
	slot   int64         // nanoseconds; 0: calendar
	unit   string        // hour, day, week, month, year
}

func slidingWindow(length time.Duration) window {
	return window{length: length, slot: int64(length) / windowSlots}
}

func (w *window) stamp(now time.Time) int64 {
	if w.slot != 0 {
		return now.UnixNano() / w.slot
	}
	return w.start(now).Unix()
}

func (w *window) slotStart(index int64) time.Time { return time.Unix(0, index*w.slot) }

// start is the beginning of the calendar window that holds now. A week starts on Monday (ISO 8601).
func (w *window) start(now time.Time) time.Time {
	t := now.UTC()
	y, m, d := t.Date()
	switch w.unit {
	case "hour":
		return time.Date(y, m, d, t.Hour(), 0, 0, 0, time.UTC)
	case "day":
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	case "week":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	case "month":
		return time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
	default:
		return time.Date(y, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
}

// end is when the window that starts at stamp is over.
func (w *window) end(stamp int64) time.Time {
	t := time.Unix(stamp, 0).UTC()
	switch w.unit {
	case "hour":
		return t.Add(time.Hour)
	case "day":
		return t.AddDate(0, 0, 1)
	case "week":
		return t.AddDate(0, 0, 7)
	case "month":
		return t.AddDate(0, 1, 0)
	default:
		return t.AddDate(1, 0, 0)
	}
}

// String is the window as texts name it.
func (w *window) String() string {
	switch {
	case w.slot == 0:
		return w.unit
	case w.length == time.Minute:
		return "minute"
	case w.length == time.Hour:
		return "hour"
	case w.length%time.Second == 0:
		return fmt.Sprintf("%d seconds", w.length/time.Second)
	default:
		return w.length.String()
	}
}
