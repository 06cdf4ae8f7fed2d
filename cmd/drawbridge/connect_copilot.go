package main

import (
	"bytes"
	"fmt"
	"net/url"
)

// copilotStudio renders the steps of Copilot Studio, and the connector of Power Apps as Swagger 2.0.
func (c connection) copilotStudio() (string, error) {
	description := c.Description
	if description == "" {
		description = c.Title
	}
	var connector bytes.Buffer
	if err := printJSON(&connector, c.connector(description)); err != nil {
		return "", err
	}
	return fmt.Sprintf("1. Tools → Add a tool → New tool → Model Context Protocol\n2. Server name: %s\n3. Server description: %s\n4. Server URL: %s\n"+
		"5. Authentication: OAuth 2.0, Dynamic discovery\n\nconnector.swagger.json (Power Apps):\n%s", c.Title, description, c.URL, connector.String()), nil
}

// The structs keep the members of the document in the order in which people read them.
type (
	swaggerDocument struct {
		Swagger     string                 `json:"swagger"`
		Info        swaggerInfo            `json:"info"`
		Host        string                 `json:"host"`
		BasePath    string                 `json:"basePath"`
		Schemes     []string               `json:"schemes"`
		Paths       map[string]swaggerPath `json:"paths"`
		Definitions map[string]swaggerAuth `json:"securityDefinitions"`
		Security    []map[string][]string  `json:"security"`
	}
	swaggerInfo struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Version     string `json:"version"`
	}
	swaggerPath struct {
		Post swaggerOperation `json:"post"`
	}
	swaggerOperation struct {
		Summary     string                       `json:"summary"`
		OperationID string                       `json:"operationId"`
		Protocol    string                       `json:"x-ms-agentic-protocol"`
		Responses   map[string]map[string]string `json:"responses"`
	}
	swaggerAuth struct {
		Type          string            `json:"type"`
		Flow          string            `json:"flow"`
		Authorization string            `json:"authorizationUrl"`
		Token         string            `json:"tokenUrl"`
		Scopes        map[string]string `json:"scopes"`
	}
)

func (c connection) connector(description string) swaggerDocument {
	host := c.PublicURL
	if u, err := url.Parse(c.PublicURL); err == nil {
		host = u.Host
	}
	scope := "mcp:" + c.Name
	return swaggerDocument{
		Swagger: "2.0", Info: swaggerInfo{Title: c.Title, Description: description, Version: "1.0.0"},
		Host: host, BasePath: "/", Schemes: []string{"https"},
		Paths: map[string]swaggerPath{"/mcp/" + c.Name: {Post: swaggerOperation{
			Summary: c.Title, OperationID: "InvokeMCP", Protocol: "mcp-streamable-1.0",
			Responses: map[string]map[string]string{"200": {"description": "Success"}},
		}}},
		Definitions: map[string]swaggerAuth{"oauth2": {
			Type: "oauth2", Flow: "accessCode", Authorization: c.PublicURL + "/oauth/authorize", Token: c.PublicURL + "/oauth/token",
			Scopes: map[string]string{scope: "Use " + c.Title},
		}},
		Security: []map[string][]string{{"oauth2": {scope}}},
	}
}
