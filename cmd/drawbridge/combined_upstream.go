package main

import "github.com/drawbridge-mcp/drawbridge/mcp/combined"

// buildUpstreamSource makes a source of an upstream. Who may use its tools is decided by the combined server, by their public
// names; its instructions are the upstream's own.
func (b *builder) buildUpstreamSource(cfg *Config, sc *ServerConfig, from *FromConfig, s *snapshot) (combined.Source, error) {
	leg, err := b.leg(cfg, sc, from, s)
	if err != nil {
		return combined.Source{}, err
	}
	part := ServerConfig{Name: sc.Name, ServerConfig: sc.ServerConfig}
	part.Instructions, part.Page = "", 0               // pages are the combined server's
	server, err := b.cross(&part, from, leg, nil, nil) // what is held is decided by public names
	if err != nil {
		return combined.Source{}, err
	}
	return combined.Source{As: from.prefix(), Server: server}, nil
}
