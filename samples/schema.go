// Package samples holds what a user may copy: configurations, the JSON Schema of the configuration file and its manual.
//
//	cmd/drawbridge types + comments ─ go test -update ─▶ drawbridge.schema.json, CONFIGURATION.md ─ embed ─▶ drawbridge schema
package samples

import _ "embed"

// Schema is the JSON Schema of the configuration file, as `drawbridge schema` prints it.
//
//go:embed drawbridge.schema.json
var Schema []byte
