package entra_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drawbridge-mcp/drawbridge/oauth"
	"github.com/drawbridge-mcp/drawbridge/oauth/entra"
	"github.com/drawbridge-mcp/drawbridge/oauth/oauthtest"
	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// newCertificate returns a self-signed certificate and a PEM file of it and its key.
func newCertificate(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "drawbridge"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// §11.9: each way to prove who we are, at code and at refresh.
func TestCredentials(t *testing.T) {
	cert, pemText := newCertificate(t)
	file := filepath.Join(t.TempDir(), "token")
	for _, tc := range []struct {
		name string
		cred entra.Credential
		set  func(*oauthtest.Switches)
	}{
		{"certificate", entra.Credential{Certificate: secret.Reference{Value: secret.New(pemText)}}, func(s *oauthtest.Switches) { s.Certificate = cert }},
		{"workload identity", entra.Credential{WorkloadIdentity: true}, func(s *oauthtest.Switches) {
			s.Federated = "token-of-the-cluster"
			if err := os.WriteFile(file, []byte("token-of-the-cluster\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"managed identity", entra.Credential{ManagedIdentity: "system"}, func(s *oauthtest.Switches) { s.Federated = "token-of-the-machine" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			endpoint := ""
			b := newBench(t, func(c *entra.EntraConfig, o *entra.Options) {
				c.Credential = tc.cred
				endpoint = c.Authority
				o.Env = func(name string) string {
					return map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file, "IDENTITY_ENDPOINT": endpoint + "/_msi/token", "IDENTITY_HEADER": oauthtest.IdentityHeader}[name]
				}
			})
			b.fake.Set(tc.set)
			id, up, err := b.signIn()
			if err != nil {
				t.Fatal(err)
			}
			b.advance(time.Minute)
			if _, _, err := b.provider.Refresh(t.Context(), id, up); err != nil {
				t.Error(err)
			}
			if n := len(b.fake.Log("/_msi/token")); n > 1 {
				t.Errorf("%d requests for the managed identity, want one", n)
			}
			if last := b.fake.Log("/token"); last[len(last)-1].Form.Has("client_secret") {
				t.Error("a client secret was sent")
			}
		})
	}
}

// A credential that cannot be read is our trouble and passes; nobody is told no for it.
func TestUnreadableCredentialIsPassing(t *testing.T) {
	b := newBench(t, func(c *entra.EntraConfig, o *entra.Options) {
		c.Credential = entra.Credential{WorkloadIdentity: true}
		o.Env = func(string) string { return "/nowhere/token" }
	})
	if _, _, err := b.signIn(); code(err) != oauth.TemporarilyUnavailable {
		t.Errorf("sign-in = %v", err)
	}
}

func TestCredentialFaults(t *testing.T) {
	_, one := newCertificate(t)
	_, two := newCertificate(t)
	mixed := one[:strings.Index(one, "-----BEGIN CERT")] + two[strings.Index(two, "-----BEGIN CERT"):]
	value := func(s string) secret.Reference { return secret.Reference{Source: "file:x", Value: secret.New(s)} }
	for name, c := range map[string]entra.Credential{
		"none": {}, "empty secret": {Secret: value("")}, "two ways": {Secret: value("x"), ManagedIdentity: "system"},
		"no PEM": {Certificate: value("hello")}, "key alone": {Certificate: value(one[:strings.Index(one, "-----BEGIN CERT")])},
		"certificate of another key": {Certificate: value(mixed)}, "workload identity outside a cluster": {WorkloadIdentity: true},
	} {
		cfg := entra.EntraConfig{Tenants: []entra.Tenant{{ID: oauthtest.Contoso}}, ClientID: oauthtest.EntraClient, Authority: "https://login.example", Graph: "https://graph.example", Credential: c}
		_, err := entra.New(entra.Config{Provider: "entra", Entra: cfg}, entra.Options{PublicURL: public})
		if err == nil || !strings.HasPrefix(err.Error(), "entra.credential") {
			t.Errorf("%s: New = %v", name, err)
		}
	}
}
