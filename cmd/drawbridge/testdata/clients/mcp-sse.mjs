// usage: node mcp-sse.mjs MCP_URL [PERSON]   @modelcontextprotocol/sdk 1.x over the transport of 2024-11-05
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { MemoryProvider, report } from './provider.mjs';

const [url, person = 'alice'] = process.argv.slice(2);
const authProvider = new MemoryProvider(person);
const fresh = () => new Client({ name: 'test-sdk-sse', version: '1.0.0' });
let client = fresh();
let transport = new SSEClientTransport(new URL(url + '/sse'), { authProvider });
try {
  await client.connect(transport);
  throw new Error('connected without signing in');
} catch (e) {
  if (!(e instanceof UnauthorizedError)) throw e;
}
await transport.finishAuth(authProvider.callback.get('code'));
client = fresh();
transport = new SSEClientTransport(new URL(url + '/sse'), { authProvider });
await client.connect(transport);
await report(client, { protocol: '2025-11-25', scope: authProvider.saved.scope, refresh: Boolean(authProvider.saved.refresh_token) });
await client.close();
