package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/drawbridge-mcp/drawbridge/cmd/internal/strictyaml"
)

// The configuration file's faults and places are strictyaml's.
type (
	Fault     = strictyaml.Fault
	Positions = strictyaml.Positions
)

// defaultConfig is the configuration file where none is named (CONTRACT §1).
const defaultConfig = "drawbridge.yaml"

// maxConfig is one byte more than a configuration file may have, so that the decoder sees that it is too large.
const maxConfig = 8<<20 + 1

// LoadConfig reads, decodes and checks the configuration file, as far as its own text goes: it makes no file, opens no
// listener and calls no address (C9). The documents of APIs are checkDocuments' part. The configuration is good when
// there are no errors.
func LoadConfig(path string, env func(string) (string, bool)) (cfg *Config, pos *Positions, errs, warnings []Fault) {
	return loadConfigFile(path, strictyaml.Options{Env: env})
}

// loadConfigFile is LoadConfig with more to say about references: commands that only want to know where the gateway is
// need no secrets.
func loadConfigFile(path string, o strictyaml.Options) (cfg *Config, pos *Positions, errs, warnings []Fault) {
	data, err := readConfig(path)
	if err != nil {
		return nil, strictyaml.NewPositions(path), []Fault{{File: path, Message: err.Error()}}, nil
	}
	o.File, o.Dir = path, filepath.Dir(path)
	return parseConfig(data, o)
}

func parseConfig(data []byte, o strictyaml.Options) (cfg *Config, pos *Positions, errs, warnings []Fault) {
	cfg = &Config{}
	pos, faults := strictyaml.Decode(data, cfg, o)
	if pos.Faulty("") && len(faults) == 1 && faults[0].Path == "" {
		return cfg, pos, faults, nil // not YAML: nothing to check
	}
	cfg.complete()
	v := &validator{cfg: cfg, pos: pos, unsetSecrets: o.UnsetSecrets}
	v.validate()
	return cfg, pos, strictyaml.Sort(append(faults, v.errors...)), strictyaml.Sort(v.warnings)
}

// NewConfig returns the configuration of an empty file, for those that a program fills in.
func NewConfig() *Config {
	cfg := &Config{}
	strictyaml.Defaults(cfg)
	return cfg
}

// Check completes and validates a configuration that a program made. Faults have paths and no places.
func (c *Config) Check() (errs, warnings []Fault) {
	c.complete()
	v := &validator{cfg: c, pos: strictyaml.NewPositions("")}
	v.validate()
	return v.errors, v.warnings
}

// complete fills what follows from other keys.
func (c *Config) complete() {
	if c.PublicURL == "" {
		if host, port, err := net.SplitHostPort(c.Listen); err == nil && port != "0" && strictyaml.Loopback(host) {
			c.PublicURL = "http://" + c.Listen
		}
	}
}

func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) && path == defaultConfig {
		return nil, errors.New("no such file; name one with -c FILE, or start without one: drawbridge try")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such file")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", bare(err))
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", bare(err))
	}
	return data, nil
}

// bare cuts the path that the operating system's errors begin with.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Moment is a point in time: a date, meaning its end in UTC, or RFC 3339.
type Moment struct{ time.Time }

// UnmarshalText reads 2027-01-31 or 2027-01-31T12:00:00Z.
func (m *Moment) UnmarshalText(text []byte) error {
	if day, err := time.Parse(time.DateOnly, string(text)); err == nil {
		m.Time = day.AddDate(0, 0, 1)
		return nil
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return errors.New("must be a date such as 2027-01-31, or 2027-01-31T12:00:00Z")
	}
	m.Time = t.UTC()
	return nil
}
