package registration_test

import (
	"context"
	"net/http"
	"net/netip"
	"testing"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/oauth/registration"
	"github.com/drawbridge-mcp/drawbridge/proxy/egress"
)

var _ registration.Fetcher = (*egress.Guard)(nil)

// names resolves every name to the same addresses.
type names []netip.Addr

func (n names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return n, nil }

// TestNamesThatLeadInsideAreRefused_89_90 holds the seam to the guard, whose own tests know all ranges.
func TestNamesThatLeadInsideAreRefused_89_90(t *testing.T) {
	for name, addresses := range map[string]names{
		"metadata service": {netip.MustParseAddr("169.254.169.254")}, "loopback": {netip.MustParseAddr("127.0.0.1")}, "private": {netip.MustParseAddr("10.0.0.1")},
		"IPv6": {netip.MustParseAddr("fd00:ec2::254")}, "mixed answers": {netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("192.168.0.1")},
	} {
		t.Run(name, func(t *testing.T) {
			guard, err := egress.New(egress.Config{OwnHost: "gw.example.com", Resolver: addresses, MinTime: -1})
			if err != nil {
				t.Fatal(err)
			}
			cfg := oauth.Config{ClientDocuments: oauth.Open}
			r := registration.Resolver{
				Config: func() *oauth.Config { return &cfg }, Clients: &oauthtest.Memory{},
				Documents: &registration.Documents{Fetcher: guard, OwnHost: "gw.example.com", LeastFailure: -1},
			}
			_, err = r.Client(t.Context(), documentID)
			wantRefused(t, err, http.StatusBadRequest, "it could not be fetched")
		})
	}
}
