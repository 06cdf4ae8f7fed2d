package main

import (
	"context"

	"github.com/drawbridge-mcp/drawbridge/oauth"
)

// nobody is the identity provider of a gateway without sign_in: keys and service clients work, people are told why not.
type nobody struct{}

var errNobody = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "sign-in is not set up at this gateway"}

func (nobody) Tenants() []oauth.Tenant { return nil }

func (nobody) AuthURL(context.Context, *oauth.Transaction, oauth.AuthOptions) (string, error) {
	return "", errNobody
}

func (nobody) Exchange(context.Context, *oauth.Transaction, string) (oauth.Identity, oauth.Upstream, error) {
	return oauth.Identity{}, oauth.Upstream{}, errNobody
}

func (nobody) Refresh(context.Context, oauth.Identity, oauth.Upstream) (oauth.Identity, oauth.Upstream, error) {
	return oauth.Identity{}, oauth.Upstream{}, errNobody
}

func (nobody) MapError(string, string) *oauth.Error { return errNobody }

func (nobody) Issuer(*oauth.Transaction) string { return "" }
