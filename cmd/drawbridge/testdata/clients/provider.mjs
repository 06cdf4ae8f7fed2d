// An OAuth client as SDK users write it: everything in memory, the redirect caught instead of shown.
import { signIn } from './signin.mjs';

export class MemoryProvider {
  constructor(person) {
    this.person = person;
    this.redirectUrl = 'http://127.0.0.1:33418/callback';
    this.clientMetadata = {
      client_name: 'Test client',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }
  state() { return (this.sentState ??= crypto.randomUUID()); }
  clientInformation() { return this.information; }
  saveClientInformation(i) { this.information = i; }
  tokens() { return this.saved; }
  saveTokens(t) { this.saved = t; }
  saveCodeVerifier(v) { this.verifier = v; }
  codeVerifier() { return this.verifier; }
  saveDiscoveryState(s) { this.discovery = s; }
  discoveryState() { return this.discovery; }
  async redirectToAuthorization(url) {
    const { redirect } = await signIn(url.href, this.person);
    if (redirect.searchParams.get('state') !== this.sentState) throw new Error('the state did not come back');
    this.callback = redirect.searchParams;
  }
}

// report calls what the tests ask for and prints one JSON object.
export async function report(client, extra) {
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools(cursor ? { cursor } : undefined);
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor);
  const order = await client.callTool({ name: 'getOrder', arguments: { orderId: '1001' } });
  const missing = await client.callTool({ name: 'getOrder', arguments: { orderId: '999' } });
  const wrong = await client.callTool({ name: 'getOrder', arguments: {} });
  console.log(JSON.stringify({ ...extra, server: client.getServerVersion(), tools: tools.map(t => t.name), order, missing, wrong }));
}
