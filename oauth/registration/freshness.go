package registration

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	leastFresh = time.Minute
	mostFresh  = 24 * time.Hour
)

// freshness says how long a fetched document counts: max-age less Age, within a minute and a day (oauth.md §6.5). A
// server can neither make us fetch all the time nor keep a document for ever.
func freshness(h http.Header) time.Duration {
	age := time.Duration(0)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return leastFresh
		case "max-age":
			age = seconds(strings.Trim(value, `"`))
		}
	}
	return min(max(age-seconds(h.Get("Age")), leastFresh), mostFresh)
}

// seconds reads delta-seconds (RFC 9111 §1.2.2); what is no number is 0, what is too large is a day.
func seconds(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 63)
	switch {
	case err != nil && strings.Trim(s, "0123456789") == "" && s != "":
		return mostFresh
	case err != nil:
		return 0
	}
	return time.Duration(min(n, uint64(mostFresh/time.Second))) * time.Second
}
