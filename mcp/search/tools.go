package search

// Names are those of the three tools. A server that has a tool of such a name keeps it, and is not searched (F8).
func Names() []string { return []string{findTools, describeTool, callTool} }

const (
	findTools    = "find_tools"
	describeTool = "describe_tool"
	callTool     = "call_tool"
)

// Bounds of find_tools.
const (
	maxQuery     = 500
	maxLimit     = 25
	defaultLimit = 8
)

// sentence is what the instructions say about it (F7).
const sentence = "This server has more tools than are listed: find_tools finds them by words, describe_tool tells how one is called, call_tool calls it."

// offered is the list of the three. call_tool may do anything that a tool behind it does, so that hosts ask (F3).
const offered = `[` +
	`{"name":"find_tools","title":"Find tools","description":"Find tools of this server by what they do. Returns the best matches with their arguments; ` +
	`call them with call_tool.","inputSchema":{"type":"object","properties":{` +
	`"query":{"type":"string","description":"What the tool should do, in a few words","maxLength":500},` +
	`"limit":{"type":"integer","description":"How many tools to return","minimum":1,"maximum":25,"default":8},` +
	`"tag":{"type":"string","description":"Only tools with this tag"},` +
	`"source":{"type":"string","description":"Only tools of this API or server"}},` +
	`"required":["query"],"additionalProperties":false},` +
	`"outputSchema":{"type":"object","properties":{"tools":{"type":"array","items":{"type":"object","properties":{` +
	`"name":{"type":"string"},"title":{"type":"string"},"description":{"type":"string"},"arguments":{"type":"array","items":{"type":"string"}},` +
	`"read_only":{"type":"boolean"},"score":{"type":"number"}},"required":["name","title","description","arguments","read_only","score"]}},` +
	`"total":{"type":"integer"}},"required":["tools","total"]},` +
	`"annotations":{"title":"Find tools","readOnlyHint":true,"openWorldHint":false}},` +
	`{"name":"describe_tool","title":"Describe a tool","description":"Return the full description and the schemas of one tool.",` +
	`"inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"Name of the tool, as find_tools returns it"}},` +
	`"required":["name"],"additionalProperties":false},` +
	`"outputSchema":{"type":"object","properties":{"name":{"type":"string"},"description":{"type":"string"},"inputSchema":{"type":"object"},` +
	`"outputSchema":{"type":"object"},"annotations":{"type":"object"}},"required":["name","description","inputSchema"]},` +
	`"annotations":{"title":"Describe a tool","readOnlyHint":true,"openWorldHint":false}},` +
	`{"name":"call_tool","title":"Call a tool","description":"Call one tool of this server by its name, with its arguments.",` +
	`"inputSchema":{"type":"object","properties":{"name":{"type":"string","description":"Name of the tool, as find_tools returns it"},` +
	`"arguments":{"type":"object","description":"Arguments of the tool, as describe_tool shows them","default":{}}},` +
	`"required":["name"],"additionalProperties":false},` +
	`"annotations":{"title":"Call a tool","readOnlyHint":false,"destructiveHint":true}}]`
