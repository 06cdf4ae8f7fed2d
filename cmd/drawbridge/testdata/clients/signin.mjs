// A person at a browser without JavaScript: keeps cookies, follows redirects within the gateway, reads forms, presses
// the button with the given text. It stops at the first redirect that leaves the gateway and returns that address.

const text = html => html.replace(/<[^>]*>/g, ' ').replace(/&amp;/g, '&').replace(/&#39;/g, "'").replace(/&quot;/g, '"').replace(/&#43;/g, '+').replace(/\s+/g, ' ').trim();
const attribute = (tag, name) => {
  const m = tag.match(new RegExp(`\\b${name}\\s*=\\s*("([^"]*)"|'([^']*)')`, 'i'));
  return m ? text(m[2] ?? m[3]) : undefined;
};

export class Browser {
  constructor(origin) {
    this.origin = origin;
    this.cookies = new Map();
    this.pages = [];
  }

  async open(url, init = {}) {
    for (let hop = 0; hop < 12; hop++) {
      if (new URL(url).origin !== this.origin) return { left: url };
      const headers = { accept: 'text/html', ...(init.headers ?? {}) };
      if (this.cookies.size) headers.cookie = [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; ');
      const answer = await fetch(url, { ...init, headers, redirect: 'manual' });
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(';');
        const at = pair.indexOf('=');
        if (/max-age=0\b/i.test(line)) this.cookies.delete(pair.slice(0, at));
        else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      const next = answer.headers.get('location');
      if (answer.status >= 300 && answer.status < 400 && next) {
        url = new URL(next, url).href;
        init = {};
        continue;
      }
      const html = await answer.text();
      this.pages.push({ url, status: answer.status, html });
      return { url, status: answer.status, html };
    }
    throw new Error('more than 12 redirects');
  }

  // press submits the form that has a button with this text.
  async press(page, label) {
    for (const form of page.html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/gi)) {
      const tag = form[0].match(/<form\b[^>]*>/i)[0];
      const button = [...form[0].matchAll(/<button\b[^>]*>[\s\S]*?<\/button>/gi)].map(m => m[0]).find(b => label.test(text(b)) || label.test(attribute(b, 'aria-label') ?? ''));
      if (!button) continue;
      const fields = new URLSearchParams();
      for (const [input] of form[0].matchAll(/<input\b[^>]*>/gi)) {
        if (attribute(input, 'name')) fields.append(attribute(input, 'name'), attribute(input, 'value') ?? '');
      }
      if (attribute(button, 'name')) fields.append(attribute(button, 'name'), attribute(button, 'value') ?? '');
      const action = new URL(attribute(tag, 'action') ?? '', page.url).href;
      if ((attribute(tag, 'method') ?? 'get').toLowerCase() === 'get') return this.open(`${action}?${fields}`);
      return this.open(action, {
        method: 'POST',
        body: fields.toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: this.origin, 'sec-fetch-site': 'same-origin' },
      });
    }
    throw new Error(`no button ${label} on ${page.url} (${page.status}): ${text(page.html).slice(0, 400)}`);
  }
}

// signIn goes from the authorization address to the client's redirect URI, as person, pressing decision.
export async function signIn(authorizationURL, person = 'alice', decision = /^allow/i) {
  const browser = new Browser(new URL(authorizationURL).origin);
  const people = await browser.open(authorizationURL);
  const consent = await browser.press(people, new RegExp(`\\b${person}\\b`, 'i'));
  const done = await browser.press(consent, decision);
  if (!done.left) throw new Error(`still on ${done.url} (${done.status}): ${text(done.html).slice(0, 400)}`);
  return { redirect: new URL(done.left), browser };
}
