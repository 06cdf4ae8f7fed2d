package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// probe is how this machine reaches a gateway's /readyz.
type probe struct {
	base string // of the address that is told
	host string // Host of the request, where it is another than base's
	via  *http.Transport
}

func (p *program) healthcheckCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 when the gateway is ready (for containers)",
		Long:  "Asks /readyz of --url, or of the listener in the configuration; where there is no such file, as beside try, of http://127.0.0.1:8080. Exit 0: ready or degraded; 1: not.",
		Args:  operands(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Stat(p.config); url == "" && err != nil && !cmd.Flags().Changed("config") {
				url = defaultGateway
			}
			at := probe{base: url, via: &http.Transport{}}
			if url == "" {
				var err error
				if at, err = p.listenerProbe(); err != nil {
					return err
				}
			}
			status, err := at.readiness(cmd.Context())
			if err != nil {
				return &exitError{exitFailed, err}
			}
			fmt.Fprintln(p.out, status)
			return nil
		},
	}
	c.Flags().StringVar(&url, "url", "", "base address of the gateway, such as http://127.0.0.1:8080")
	return c
}

// readiness returns ready or degraded, or why neither is so.
func (at probe) readiness(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(at.base, "/")+"/readyz", nil)
	if err != nil {
		return "", fmt.Errorf("--url %s: not an address", at.base)
	}
	r.Host = at.host
	answer, err := (&http.Client{Transport: at.via}).Do(r)
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return "", fmt.Errorf("%s: %w", at.base, untrusted.Err)
	case err != nil:
		return "", fmt.Errorf("%s does not answer", at.base)
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body); err != nil || body.Status == "" {
		return "", fmt.Errorf("%s is not a drawbridge: %d", at.base, answer.StatusCode)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s", body.Status)
	}
	return body.Status, nil
}

// listenerProbe reaches the gateway of the configuration file from the machine it runs on, whatever name its certificate
// and its Host check are for.
func (p *program) listenerProbe() (probe, error) {
	cfg, err := p.loadConfig()
	if err != nil {
		return probe{}, err
	}
	at, address, scheme := probe{via: &http.Transport{}}, cfg.Listen, "http"
	if u, err := url.Parse(cfg.PublicURL); err == nil {
		at.host = u.Host
	}
	if cfg.AdminListen != "" {
		address = cfg.AdminListen
	} else if cfg.TLS.Certificate.Source != "" {
		scheme = "https"
		at.via.TLSClientConfig = sameCertificate([]byte(cfg.TLS.Certificate.Reveal()))
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		at.via.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}
		at.base = "http://localhost"
		return at, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return probe{}, usage("%s: listen: must be host:port", p.config)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	at.base = scheme + "://" + net.JoinHostPort(host, port)
	return at, nil
}

// sameCertificate trusts the certificate of the configuration, by the name it is for: on the machine itself the address is
// another one, and whoever signed it need not be known there.
func sameCertificate(file []byte) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	block, _ := pem.Decode(file)
	if block == nil {
		return c
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return c // nothing is trusted
	}
	c.RootCAs.AddCert(leaf)
	switch {
	case len(leaf.DNSNames) > 0:
		c.ServerName = strings.Replace(leaf.DNSNames[0], "*", "gateway", 1)
	case len(leaf.IPAddresses) > 0:
		c.ServerName = leaf.IPAddresses[0].String()
	}
	return c
}
