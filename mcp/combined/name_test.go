package combined_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/drawbridge-mcp/drawbridge/mcp"
	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
)

func TestPublicNames(t *testing.T) { // C1
	long := strings.Repeat("x", 60)
	for _, c := range []struct{ as, name, want string }{
		{"orders", "get_order", "orders__get_order"},
		{"a", "_x", "a___x"},
		{"a", "b__c", "a__b__c"},
		{"a", strings.Repeat("x", 61), "a__" + strings.Repeat("x", 61)}, // 64
		{"a", strings.Repeat("x", 62), "a__" + strings.Repeat("x", 51) + "_963534d8"},
		{"orders", long, "orders__" + strings.Repeat("x", 46) + "_66beb8b4"},
	} {
		if got := combined.PublicName(c.as, c.name); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.as, c.name, got, c.want)
		}
	}
}

func TestPrefixes(t *testing.T) { // mcp.md §1
	for as, want := range map[string]bool{
		"a": true, "orders": true, "my-orders-2": true, "0": true, strings.Repeat("a", 32): true,
		"": false, "A": false, "-a": false, "a-": false, "a_b": false, "a__b": false, "a.b": false, "ä": false, strings.Repeat("a", 33): false,
	} {
		if got := combined.ValidPrefix(as); got != want {
			t.Errorf("ValidPrefix(%q) = %t", as, got)
		}
	}
	if got := combined.PrefixFor("my.orders_api"); got != "my-orders-api" {
		t.Errorf("PrefixFor = %s", got)
	}
}

var shortened = regexp.MustCompile(`_[0-9a-f]{8}$`)

func FuzzPublicName(f *testing.F) {
	f.Add("a", "b")
	f.Add("orders", strings.Repeat("ü", 100))
	f.Fuzz(func(t *testing.T, as, name string) {
		if !combined.ValidPrefix(as) || !utf8.ValidString(name) {
			return
		}
		public := combined.PublicName(as, name)
		switch n := utf8.RuneCountInString(public); {
		case n > 64:
			t.Errorf("%q has %d characters", public, n)
		case !strings.HasPrefix(public, as+"__"):
			t.Errorf("%q does not say where it is from", public)
		case public != as+"__"+name && (n != 63 || !shortened.MatchString(public)):
			t.Errorf("%q is neither whole nor shortened", public)
		case mcp.ValidToolName(name) && !mcp.ValidToolName(public):
			t.Errorf("%q cannot be called", public)
		case combined.PublicName(as, name) != public:
			t.Error("not the same twice")
		}
	})
}
