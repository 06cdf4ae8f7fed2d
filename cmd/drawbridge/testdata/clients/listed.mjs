// listed lists the tools, calls what the arguments name (TOOL=JSON), and prints one JSON object.
export async function listed(client, calls, extra = {}) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : undefined);
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor);
  const results = {};
  for (const one of calls) {
    const at = one.indexOf('=');
    results[one.slice(0, at)] = await client.callTool({ name: one.slice(0, at), arguments: JSON.parse(one.slice(at + 1)) });
  }
  console.log(JSON.stringify({ ...extra, server: client.getServerVersion(), tools: tools.map(t => t.name), results }));
}
