package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pair makes a self-signed certificate for gw.example.com, as PEM files.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"gw.example.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return write("CERTIFICATE", der), write("EC PRIVATE KEY", sealed)
}

// free returns a port that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// A gateway that ends TLS itself: HTTP/2, cookies and pages of https, and a healthcheck beside it that needs neither the
// public name nor a known issuer (operations.md §1.4 tls, §15; oauth.md §4, §5.4).
func TestServeOverTLS(t *testing.T) {
	certificate, key := pair(t)
	port := free(t)
	config := fmt.Sprintf("listen: 0.0.0.0:%s\npublic_url: https://gw.example.com\n", port) +
		"tls: {certificate: file:tls.crt, key: file:tls.key}\nstorage: {database: 'memory:', keys: 'file:keys.json'}\n" +
		"sign_in: {provider: entra, entra: {tenants: [72f988bf-0000-4000-8000-00000000000a], client_id: 11111111-aaaa-4bbb-8ccc-000000000001, credential: file:tls.key}}\n"
	s := &served{dir: t.TempDir(), stderr: &lockedBuffer{}, exited: make(chan error, 1)}
	s.write(t, "tls.crt", certificate)
	s.write(t, "tls.key", key)
	s.write(t, "drawbridge.yaml", config)
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	if out, errs, code := command(t, s.dir, nil, "healthcheck"); code != 0 || out != "ready\n" {
		t.Errorf("healthcheck = %d %q %q", code, out, errs)
	}
	if _, errs, code := command(t, s.dir, nil, "healthcheck", "--url", "https://127.0.0.1:"+port); code != exitFailed || !strings.Contains(errs, "certificate") {
		t.Errorf("healthcheck of an address with a certificate for another name = %d %q", code, errs)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "gw.example.com", MinVersion: tls.VersionTLS12}}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "gw.example.com"
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("portal = %d %s %v", resp.StatusCode, resp.Proto, resp.Header)
	}
}
