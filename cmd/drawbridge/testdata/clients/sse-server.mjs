// usage: node sse-server.mjs   a server of @modelcontextprotocol/sdk 1.x by the transport of 2024-11-05; prints its address
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

const streams = new Map();

function fixture() {
  const server = new Server({ name: 'old', version: '1' }, { capabilities: { tools: { listChanged: true }, logging: {} } });
  const tool = name => ({ name, inputSchema: { type: 'object', allOf: [{ $ref: '#/$defs/a' }], $defs: { a: {} } } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: ['test_simple_text', 'ask', 'slow'].map(tool) }));
  server.setRequestHandler(CallToolRequestSchema, async (request, extra) => {
    const { name, _meta } = request.params;
    const text = t => ({ content: [{ type: 'text', text: t }] });
    if (name === 'ask') {
      const schema = { type: 'object', properties: { username: { type: 'string' } }, required: ['username'] };
      const answer = await server.elicitInput({ message: 'who?', requestedSchema: schema });
      return text(`${answer.action} ${answer.content?.username}`);
    }
    for (let i = 1; name === 'slow' && i <= 3; i++) {
      const params = { progressToken: _meta?.progressToken, progress: i, total: 3 };
      await extra.sendNotification({ method: 'notifications/progress', params });
    }
    return text('This is a simple text response for testing.');
  });
  return server;
}

const http = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  if (req.method === 'GET' && url.pathname === '/sse') {
    const transport = new SSEServerTransport('/messages', res);
    streams.set(transport.sessionId, transport);
    res.on('close', () => streams.delete(transport.sessionId));
    await fixture().connect(transport);
    return;
  }
  const transport = streams.get(url.searchParams.get('sessionId'));
  if (req.method !== 'POST' || url.pathname !== '/messages' || !transport) {
    res.writeHead(404).end('Cannot ' + req.method);
    return;
  }
  await transport.handlePostMessage(req, res);
});
http.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}/sse`));
