package proxy

import (
	"fmt"
	"strconv"
	"strings"
)

// StatusRange is one status or a range of them, written 429 or 500-599.
type StatusRange struct{ Low, High int }

// UnmarshalText reads 429 or 500-599 (operations.md §1.2).
func (r *StatusRange) UnmarshalText(text []byte) error {
	low, high, ranged := strings.Cut(string(text), "-")
	if !ranged {
		high = low
	}
	l, errLow := strconv.Atoi(low)
	h, errHigh := strconv.Atoi(high)
	if errLow != nil || errHigh != nil || l < 100 || h > 599 || l > h {
		return fmt.Errorf("must be a status or range such as 500-599")
	}
	*r = StatusRange{Low: l, High: h}
	return nil
}

// MarshalText writes it as it is read.
func (r StatusRange) MarshalText() ([]byte, error) {
	if r.Low == r.High {
		return strconv.AppendInt(nil, int64(r.Low), 10), nil
	}
	return fmt.Appendf(nil, "%d-%d", r.Low, r.High), nil
}

// statusSet answers in one index whether a status is listed.
type statusSet [600]bool

func newStatusSet(ranges ...StatusRange) *statusSet {
	var s statusSet
	for _, r := range ranges {
		for i := max(r.Low, 0); i <= min(r.High, len(s)-1); i++ {
			s[i] = true
		}
	}
	return &s
}

func (s *statusSet) has(status int) bool { return status >= 0 && status < len(s) && s[status] }
