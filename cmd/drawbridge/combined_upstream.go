package main

import (
	"errors"

	"github.com/drawbridge-mcp/drawbridge/mcp/combined"
)

// buildUpstreamSource makes a source of an upstream.
func (b *builder) buildUpstreamSource(*Config, *ServerConfig, *FromConfig, *snapshot) (combined.Source, error) {
	return combined.Source{}, errors.New("an upstream beside other parts is not available in this version")
}
