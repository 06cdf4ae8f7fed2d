// usage: node mcp-client.mjs MCP_URL legacy|auto|2026-07-28 [PERSON]   @modelcontextprotocol/client 2.x
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { MemoryProvider, report } from './provider.mjs';

const [url, mode, person = 'alice'] = process.argv.slice(2);
const authProvider = new MemoryProvider(person);
const fresh = () => new Client({ name: 'test-client-2', version: '1.0.0' }, { versionNegotiation: { mode: /^\d/.test(mode) ? { pin: mode } : mode } });
let client = fresh();
let transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
try {
  await client.connect(transport);
  throw new Error('connected without signing in');
} catch (e) {
  if (!(e instanceof UnauthorizedError)) throw e;
}
await transport.finishAuth(authProvider.callback);
client = fresh();
transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
await client.connect(transport);
await report(client, { protocol: client.getNegotiatedProtocolVersion(), scope: authProvider.saved.scope, refresh: Boolean(authProvider.saved.refresh_token) });
await client.close();
