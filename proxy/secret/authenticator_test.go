package secret

import (
	"bytes"
	"testing"
	"time"
)

func TestAnAuthenticatorAgreesWithTheKeyring(t *testing.T) {
	k, err := NewKeyring(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, parts := range [][]string{nil, {""}, {"a"}, {"ab", "c"}, {"a", "bc"}} {
		if got, want := k.Authenticator(MCPSession).MAC(parts...), k.MAC(MCPSession, parts...); !bytes.Equal(got, want) {
			t.Errorf("MAC(%q) = %x, want %x", parts, got, want)
		}
	}
	if bytes.Equal(k.Authenticator(Cursor).MAC("a"), k.Authenticator(MCPSession).MAC("a")) {
		t.Error("two purposes share a key")
	}
}
