package store

import (
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/pins"
)

func TestPinsAreKept(t *testing.T) { // mcp.md Q2
	for name, url := range databases {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t, testConfig(t, url(t))), t.Context()
			a := pins.Pin{Server: "s", Tool: "a", Hash: "h1", Approved: []byte(`{"name":"a"}`), Since: testNow}
			b := pins.Pin{Server: "s", Tool: "b", HeldHash: "h2", Held: []byte(`{"name":"b"}`), Since: testNow, Gone: testNow.Add(time.Hour)}
			other := pins.Pin{Server: "t", Tool: "a", Hash: "h3", Since: testNow}
			check(t, s.PutPins(ctx, []pins.Pin{b, a, other}))
			a.HeldHash, a.Held = "h4", []byte("new")
			check(t, s.PutPins(ctx, []pins.Pin{a}))
			list, err := s.Pins(ctx, "s")
			check(t, err)
			if len(list) != 2 || list[0].Tool != "a" || list[0].Hash != "h1" || string(list[0].Held) != "new" || !list[0].Since.Equal(testNow) || !list[0].Gone.IsZero() ||
				list[1].Tool != "b" || string(list[1].Held) != `{"name":"b"}` || !list[1].Gone.Equal(b.Gone) {
				t.Errorf("got %+v", list)
			}
			check(t, s.DropPins(ctx, "s", []string{"a", "nobody"}))
			if list, err := s.Pins(ctx, "s"); err != nil || len(list) != 1 || list[0].Tool != "b" {
				t.Errorf("after dropping %+v, %v", list, err)
			}
			if list, err := s.Pins(ctx, "t"); err != nil || len(list) != 1 {
				t.Errorf("the other server has %+v, %v", list, err)
			}
		})
	}
}
