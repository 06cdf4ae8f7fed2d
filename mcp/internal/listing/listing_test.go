package listing_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/mcp/internal/listing"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

func keys(t testing.TB) *secret.Keyring {
	t.Helper()
	ring, err := secret.NewKeyring(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestACursorIsReadByItsOwnListOnly(t *testing.T) { // T6
	ring := keys(t)
	own := listing.Cursors{Keyring: ring, List: "tools/list", Server: "orders"}
	place := listing.Place{Version: listing.KeyOf([]byte("version1")), View: listing.KeyOf([]byte("view")), Offset: 70_000}
	text := own.Write(place)
	if got, ok := own.Read(text); !ok || got != place {
		t.Errorf("read %+v, %t", got, ok)
	}
	for name, other := range map[string]listing.Cursors{
		"another list":   {Keyring: ring, List: "prompts/list", Server: "orders"},
		"another server": {Keyring: ring, List: "tools/list", Server: "billing"},
		"other keys":     {Keyring: keys(t), List: "tools/list", Server: "orders"},
	} {
		if _, ok := other.Read(text); ok {
			t.Errorf("%s reads it", name)
		}
	}
	for _, bad := range []string{"", text[1:], text + "A", strings.Repeat("A", len(text)), text[:len(text)-1] + "="} {
		if _, ok := own.Read(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
}

func FuzzCursor(f *testing.F) {
	own := listing.Cursors{Keyring: keys(f), List: "tools/list", Server: "orders"}
	f.Add(own.Write(listing.Place{Offset: 1}))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := own.Read(text); ok && own.Write(p) != text {
			t.Errorf("%q is another spelling of %+v", text, p)
		}
	})
}

func TestAListGoesOnBehindTheLastOneThatIsStillThere(t *testing.T) { // T6
	same := func(s string) string { return s }
	for _, c := range []struct {
		shown, now string
		want       int
	}{
		{"abc", "abcdef", 3}, {"abc", "zabdef", 3}, {"abc", "def", 0}, {"", "abc", 0}, {"ab", "", 0},
	} {
		if got := listing.After(strings.Split(c.shown, ""), strings.Split(c.now, ""), same); got != c.want {
			t.Errorf("after %q in %q: %d, want %d", c.shown, c.now, got, c.want)
		}
	}
}

func TestTheLeastRecentlyUsedGoesFirst(t *testing.T) { // T2
	k := listing.NewKept[int](3, 100)
	for i := range 3 {
		k.Make(fmt.Sprint(i), func() (int, int) { return i, 10 })
	}
	k.Get("0")
	k.Make("3", func() (int, int) { return 3, 10 })
	for key, want := range map[string]bool{"0": true, "1": false, "2": true, "3": true} {
		if _, ok := k.Get(key); ok != want {
			t.Errorf("%s is kept: %t", key, ok)
		}
	}
	k.Get("0")
	k.Grow("0", 95)
	if _, ok := k.Get("3"); ok {
		t.Error("more bytes are kept than may be")
	}
	if v, ok := k.Find(func(v int) bool { return v == 0 }); !ok || v != 0 {
		t.Error("the newest is gone, too")
	}
	k.Delete("0")
	if _, ok := k.Get("0"); ok {
		t.Error("a deleted value is there")
	}
}

func TestWhatComesAgainIsNotTheFirst(t *testing.T) {
	var o listing.Once
	n := 0
	for range 3 {
		for i := range 5000 {
			if o.First(fmt.Sprint(i)) {
				n++
			}
		}
	}
	if n != 1000 {
		t.Errorf("%d were the first", n)
	}
}
