package combined

import (
	"fmt"
	"testing"
	"time"
)

// How many private lists there are, and how large, sources and callers choose.
func TestListsOfCallersTakeUpNoMoreThanTheyMay(t *testing.T) {
	b := newBook[string](&source{}, time.Minute, time.Now)
	for i := range 5 {
		by := reader{own: fmt.Sprint(i)}
		b.keepAnswer(by, &entry[string]{}, told[string]{value: "list", private: true, size: 100 << 20}, 0, "")
	}
	kept := 0
	for i := range 5 {
		if e := b.find(reader{own: fmt.Sprint(i)}); e != nil && e.has {
			kept++
		}
	}
	if e := b.find(reader{own: "4"}); kept != 2 || e == nil {
		t.Errorf("%d lists of 100 MiB are kept, the last one: %v", kept, e != nil)
	}
}
