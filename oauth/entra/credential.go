package entra

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/drawbridge-mcp/drawbridge/proxy/secret"
)

// assertionType is the client_assertion_type of RFC 7523.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// credential proves to Entra who we are: it adds itself to a token request (oauth.md §11.9). An error means that it
// cannot be had just now; it says nothing about the person.
type credential interface {
	attach(ctx context.Context, form url.Values, tokenURL string) error
}

// newCredential makes the one that is configured; Validate saw that there is one. What a process's environment says
// comes by Options.Env.
func newCredential(c Credential, clientID string, o Options) (credential, error) {
	switch {
	case c.Certificate.Source != "" || !c.Certificate.IsZero():
		cert, err := newCertificate(c.Certificate.Reveal(), clientID, o.Now)
		if err != nil {
			return nil, fmt.Errorf("entra.credential.certificate: %w", err)
		}
		return cert, nil
	case c.WorkloadIdentity:
		path := o.Env("AZURE_FEDERATED_TOKEN_FILE")
		if path == "" {
			return nil, errors.New("entra.credential.workload_identity: AZURE_FEDERATED_TOKEN_FILE is not set")
		}
		return workloadToken{path: path}, nil
	case c.ManagedIdentity != "":
		return newManagedIdentity(c.ManagedIdentity, o), nil
	case c.Secret.IsZero():
		return nil, errors.New("entra.credential: the client secret is empty")
	}
	return clientSecret{c.Secret.Value}, nil
}

// clientSecret goes into the body: probing with Basic first would spend the code.
type clientSecret struct{ value secret.Value }

func (c clientSecret) attach(_ context.Context, form url.Values, _ string) error {
	form.Set("client_secret", c.value.Reveal())
	return nil
}

// certificate signs an assertion for each request.
type certificate struct {
	key        *rsa.PrivateKey
	thumbprint string // x5t#S256
	clientID   string
	now        func() time.Time
}

// newCertificate reads PEM with one private key and one or more certificates, the first of which belongs to the key.
func newCertificate(text, clientID string, now func() time.Time) (*certificate, error) {
	c := &certificate{clientID: clientID, now: now}
	var leaf *x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE" && leaf == nil:
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("the certificate cannot be read")
			}
			leaf = cert
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := parseKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			c.key = key
		}
	}
	if leaf == nil || c.key == nil {
		return nil, errors.New("the file must hold a private key and its certificate as PEM")
	}
	if public, ok := leaf.PublicKey.(*rsa.PublicKey); !ok || !public.Equal(&c.key.PublicKey) {
		return nil, errors.New("the certificate is not that of the private key")
	}
	sum := sha256.Sum256(leaf.Raw)
	c.thumbprint = base64.RawURLEncoding.EncodeToString(sum[:])
	return c, nil
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	any8, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the private key cannot be read")
	}
	key, ok := any8.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the private key is not an RSA key")
	}
	return key, nil
}

func (c *certificate) attach(_ context.Context, form url.Values, tokenURL string) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	now := c.now()
	token := jwt.NewWithClaims(jwt.SigningMethodPS256, jwt.MapClaims{"iss": c.clientID, "sub": c.clientID, "aud": tokenURL,
		"jti": base64.RawURLEncoding.EncodeToString(id), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	token.Header["x5t#S256"] = c.thumbprint
	signed, err := token.SignedString(c.key)
	if err != nil {
		return fmt.Errorf("sign client assertion: %w", err)
	}
	assert(form, signed)
	return nil
}

func assert(form url.Values, token string) {
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", token)
}

// workloadToken is a file that Kubernetes rewrites: read for every request.
type workloadToken struct{ path string }

func (w workloadToken) attach(_ context.Context, form url.Values, _ string) error {
	f, err := os.Open(w.path)
	if err != nil {
		return fmt.Errorf("read workload identity token: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxIDToken))
	if err != nil {
		return fmt.Errorf("read workload identity token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return errors.New("workload identity token is empty")
	}
	assert(form, token)
	return nil
}
