// usage: node parts.mjs MCP_URL sdk|sse|legacy|auto|2026-07-28 PERSON PLAN   everything a server of several parts has, with the official SDKs
// PLAN is JSON: {"call": [[NAME, ARGUMENTS]…], "prompt": […], "read": [URI…], "complete": [[REF, ARGUMENT]…], "subscribe": URI}
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ElicitRequestSchema, CreateMessageRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { MemoryProvider } from './provider.mjs';

const [url, mode, person, text] = process.argv.slice(2);
const plan = JSON.parse(text);
const authProvider = new MemoryProvider(person);
const about = { name: 'test-parts', version: '1' };
const first = mode === 'sdk' || mode === 'sse';
const capabilities = { elicitation: {}, sampling: {} };
const report = { asked: [], changes: 0, progress: [] };

const elicited = request => { report.asked.push(request.params.message ?? request.method); return { action: 'accept', content: { username: 'bob', email: 'bob@example.com', name: 'bob', age: 7, verified: true, score: 1.5, status: 'active', confirmed: true, response: 'yes', color: 'red', user_name: 'bob' } }; };
const sampled = () => { report.asked.push('sampling'); return { role: 'assistant', content: { type: 'text', text: 'sampled' }, model: 'none', stopReason: 'endTurn' }; };

function make() {
  if (first) {
    const client = new Client1(about, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, elicited);
    client.setRequestHandler(CreateMessageRequestSchema, sampled);
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => { report.changes++; });
    return { client, transport: mode === 'sse' ? new SSEClientTransport(new URL(url + '/sse'), { authProvider }) : new Transport1(new URL(url), { authProvider }) };
  }
  const client = new Client2(about, { capabilities, versionNegotiation: { mode: /^\d/.test(mode) ? { pin: mode } : mode } });
  client.setRequestHandler('elicitation/create', elicited);
  client.setRequestHandler('sampling/createMessage', sampled);
  client.setNotificationHandler('notifications/tools/list_changed', () => { report.changes++; });
  return { client, transport: new Transport2(new URL(url), { authProvider }) };
}

let { client, transport } = make();
await client.connect(transport).then(() => { throw new Error('connected without signing in'); }, e => { if (e.constructor.name !== 'UnauthorizedError') throw e; });
await transport.finishAuth(first ? authProvider.callback.get('code') : authProvider.callback);
({ client, transport } = make());
await client.connect(transport);

const attempt = async work => { try { return await work(); } catch (e) { return { failed: String(e.message ?? e), code: e.code }; } };
const all = async (list, member) => {
  const found = [];
  let cursor;
  do {
    const page = await list(cursor ? { cursor } : undefined);
    found.push(...page[member]);
    cursor = page.nextCursor;
  } while (cursor);
  return found;
};
report.protocol = first ? transport.protocolVersion ?? transport._protocolVersion : client.getNegotiatedProtocolVersion();
report.capabilities = client.getServerCapabilities();
report.instructions = client.getInstructions();
report.server = client.getServerVersion();
report.tools = (await all(p => client.listTools(p), 'tools')).map(t => t.name);
report.prompts = (await all(p => client.listPrompts(p), 'prompts')).map(t => t.name);
report.resources = (await all(p => client.listResources(p), 'resources')).map(t => t.uri);
report.templates = (await all(p => client.listResourceTemplates(p), 'resourceTemplates')).map(t => t.uriTemplate);
report.results = {};
for (const [name, args] of plan.call ?? []) {
  report.results[name] = await attempt(() => client.callTool({ name, arguments: args }, ...(first ? [undefined] : []), { onprogress: p => report.progress.push([name, p.progress]) }));
}
for (const [name, args] of plan.prompt ?? []) report.results[name] = await attempt(() => client.getPrompt({ name, arguments: args }));
for (const uri of plan.read ?? []) report.results[uri] = await attempt(() => client.readResource({ uri }));
for (const [ref, argument] of plan.complete ?? []) report.results['complete ' + (ref.name ?? ref.uri)] = await attempt(() => client.complete({ ref, argument }));
if (plan.wait) for (const end = Date.now() + 5000; report.changes < plan.wait && Date.now() < end;) await new Promise(r => setTimeout(r, 50));
await client.close();
console.log(JSON.stringify(report));
