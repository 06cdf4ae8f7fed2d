// usage: node mcp-sdk.mjs MCP_URL [PERSON]   @modelcontextprotocol/sdk 1.x: the 2025 revisions
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { MemoryProvider, report } from './provider.mjs';

const [url, person = 'alice'] = process.argv.slice(2);
const authProvider = new MemoryProvider(person);
const fresh = () => new Client({ name: 'test-sdk-1', version: '1.0.0' });
let client = fresh();
let transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
try {
  await client.connect(transport);
  throw new Error('connected without signing in');
} catch (e) {
  if (!(e instanceof UnauthorizedError)) throw e;
}
await transport.finishAuth(authProvider.callback.get('code'));
client = fresh();
transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
await client.connect(transport);
await report(client, { protocol: transport.protocolVersion, scope: authProvider.saved.scope, refresh: Boolean(authProvider.saved.refresh_token) });
await transport.terminateSession();
await client.close();
