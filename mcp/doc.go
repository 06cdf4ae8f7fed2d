// Package mcp is the MCP face of the gateway: what happens at /mcp/{server}. This package holds what its parts share:
// the configuration of a server, and the sessions of legacy clients with the store they live in.
//
//	request ─ edge (origin, token, strict decode, era, session, streams) ─ bridge (tools made from APIs) ─ proxy.Do
//	             └─ internal/strictjson: one pass, byte ranges             └─ openapi: arguments → request, answer → result
//
// edge decodes every message once and strictly; what it decoded is what is authorised, limited, logged and executed
// (mcp.md, rule 1). bridge answers for REST APIs, combined puts
// several sources behind one address. client is a small MCP client for the command line. mcp-go serves only
// the rare methods, behind bridge, and only ever sees values that were encoded anew.
package mcp
