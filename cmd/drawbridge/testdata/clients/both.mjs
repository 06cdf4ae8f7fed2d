// usage: node both.mjs MCP_URL sdk|legacy|auto|2026-07-28 PERSON TOOL=JSON…   the official SDKs against any server
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { MemoryProvider } from './provider.mjs';
import { listed } from './listed.mjs';

const [url, mode, person, ...calls] = process.argv.slice(2);
const authProvider = new MemoryProvider(person);
const about = { name: 'test-both', version: '1' };
const make = () => mode === 'sdk'
  ? { client: new Client1(about), transport: new Transport1(new URL(url), { authProvider }) }
  : { client: new Client2(about, { versionNegotiation: { mode: /^\d/.test(mode) ? { pin: mode } : mode } }), transport: new Transport2(new URL(url), { authProvider }) };
let { client, transport } = make();
await client.connect(transport).then(() => { throw new Error('connected without signing in'); }, e => { if (e.constructor.name !== 'UnauthorizedError') throw e; });
await transport.finishAuth(mode === 'sdk' ? authProvider.callback.get('code') : authProvider.callback);
({ client, transport } = make());
await client.connect(transport);
await listed(client, calls, { signedIn: true, protocol: mode === 'sdk' ? transport.protocolVersion : client.getNegotiatedProtocolVersion() });
await client.close();
