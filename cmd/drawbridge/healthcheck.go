package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (p *program) healthcheckCommand() *cobra.Command {
	var url string
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 when the gateway is ready (for containers)",
		Long:  "Asks /readyz of --url, or of the listener in the configuration. Exit 0: ready or degraded; 1: not.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				base, err := p.listenerURL()
				if err != nil {
					return err
				}
				url = base
			}
			status, err := readiness(cmd.Context(), url)
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
func readiness(ctx context.Context, base string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(base, "/")+"/readyz", nil)
	if err != nil {
		return "", fmt.Errorf("--url %s: not an address", base)
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil}}
	answer, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("%s does not answer", base)
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&body); err != nil {
		return "", fmt.Errorf("%s is not a drawbridge: %d", base, answer.StatusCode)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("not ready: %s", body.Status)
	}
	return body.Status, nil
}

// listenerURL is where this machine reaches the gateway of the configuration file.
func (p *program) listenerURL() (string, error) {
	cfg, err := p.loadConfig()
	if err != nil {
		return "", err
	}
	address, scheme := cfg.Listen, "http"
	if cfg.AdminListen != "" {
		address = cfg.AdminListen
	} else if cfg.TLS.Certificate.Source != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", usage("%s: listen: must be host:port", p.config)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port), nil
}
