// usage: node drive.mjs MCP_URL TOOL ARGUMENTS   lists everything and calls one tool with both SDKs, on both eras
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { MemoryProvider } from './provider.mjs';

const [url, tool, text] = process.argv.slice(2);
const call = { name: tool, arguments: JSON.parse(text) };

async function drive(make, finish) {
  const authProvider = new MemoryProvider('bob');
  let { client, transport } = make(authProvider);
  await client.connect(transport).then(() => { throw new Error('connected without signing in'); }, e => { if (e.constructor.name !== 'UnauthorizedError') throw e; });
  await finish(transport, authProvider.callback);
  ({ client, transport } = make(authProvider));
  await client.connect(transport);
  const names = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : undefined);
    names.push(...page.tools.map(t => t.name));
    cursor = page.nextCursor;
  } while (cursor);
  const result = await client.callTool(call);
  await client.close();
  return { tools: names.length, unique: new Set(names).size, isError: Boolean(result.isError), text: result.content[0]?.text, structured: result.structuredContent };
}

const legacy = a => ({ client: new Client1({ name: 'drive', version: '1' }), transport: new Transport1(new URL(url), { authProvider: a }) });
const modern = a => ({ client: new Client2({ name: 'drive', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } }), transport: new Transport2(new URL(url), { authProvider: a }) });
console.log(JSON.stringify({
  legacy: await drive(legacy, (t, back) => t.finishAuth(back.get('code'))),
  modern: await drive(modern, (t, back) => t.finishAuth(back)),
}));
