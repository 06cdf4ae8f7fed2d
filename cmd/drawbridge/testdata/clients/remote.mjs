// usage: node remote.mjs MCP_URL [PERSON]   mcp-remote, as hosts that speak stdio only start it
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { signIn } from './signin.mjs';
import { listed } from './listed.mjs';

const [url, person = 'alice', ...calls] = process.argv.slice(2);
const home = mkdtempSync(join(tmpdir(), 'mcp-remote-'));
const program = join(dirname(fileURLToPath(import.meta.url)), 'node_modules/.bin/mcp-remote');
const transport = new StdioClientTransport({
  command: program,
  args: [url, '--allow-http', '--transport', 'http-only'],
  env: { ...process.env, HOME: home, MCP_REMOTE_CONFIG_DIR: home, BROWSER: 'none' },
  stderr: 'pipe',
});
let heard = '';
let asked = false;
transport.stderr.on('data', async chunk => {
  heard += chunk;
  const found = heard.match(/https?:\/\/\S+\/oauth\/authorize\?\S+/);
  if (!found || asked) return;
  asked = true;
  const { redirect } = await signIn(found[0], person);
  await fetch(redirect);
});
const client = new Client({ name: 'test-remote', version: '1.0.0' });
try {
  await client.connect(transport, { timeout: 60_000 });
  await listed(client, calls, { signedIn: asked });
} catch (e) {
  console.error(heard);
  throw e;
} finally {
  await client.close();
  rmSync(home, { recursive: true, force: true });
}
