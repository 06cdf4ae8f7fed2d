// usage: node pages.mjs AUTHORIZATION_URL OUT_DIR   the sign-in and consent pages in headless Chromium, by keyboard,
// with JavaScript off; prints what was seen and where the browser ended.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const [authorization, out] = process.argv.slice(2);
const gateway = new URL(authorization).origin;
const redirect = new URL(new URL(authorization).searchParams.get('redirect_uri'));
const arrived = [];
const application = createServer((req, res) => { arrived.push(req.url); res.end('<!doctype html><title>done</title>You can close this window.'); });
await new Promise(done => application.listen(Number(redirect.port), redirect.hostname, done));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const seen = { outside: [], pages: [], failures: [] };

async function context(options) {
  const c = await browser.newContext({ javaScriptEnabled: false, ...options });
  c.on('request', r => { const o = new URL(r.url()).origin; if (o !== gateway && o !== redirect.origin) seen.outside.push(r.url()); });
  c.on('console', m => { if (/content security policy|refused/i.test(m.text())) seen.failures.push(m.text()); });
  return c;
}

// facts are read through the browser's accessibility and layout, not through scripts of the page.
async function facts(page, name) {
  const inline = await page.locator('[style]').count(); // before the screenshot, which adds some
  await page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
  const box = await page.locator('html').boundingBox();
  const headings = await page.locator('h1').allTextContents();
  const wide = await page.locator('body').evaluate(b => b.ownerDocument.documentElement.scrollWidth).catch(() => null);
  seen.pages.push({ name, title: await page.title(), lang: await page.locator('html').getAttribute('lang'), headings, main: await page.locator('main').count(), scripts: await page.locator('script').count(), inline, width: box?.width, wide });
}

// press moves by Tab alone until the element with this text has the focus, then presses Enter.
async function press(page, label) {
  const stops = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const focus = page.locator(':focus');
    if (!(await focus.count())) continue;
    const text = ((await focus.textContent()) ?? '').replace(/\s+/g, ' ').trim();
    stops.push(text);
    if (label.test(text)) {
      const size = await focus.boundingBox();
      await Promise.all([page.waitForLoadState('load'), page.keyboard.press('Enter')]);
      return { stops, size };
    }
  }
  throw new Error(`Tab never reached ${label}: ${stops.join(' | ')}`);
}

for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['narrow', { viewport: { width: 320, height: 640 } }]]) {
  const c = await context(options);
  const page = await c.newPage();
  await page.goto(authorization);
  await facts(page, `sign-in-${name}`);
  if (name === 'light') seen.signIn = await press(page, /\balice\b/i);
  else await page.getByRole('button', { name: /alice/i }).click();
  await page.waitForURL(/\/oauth\/consent/);
  await facts(page, `consent-${name}`);
  if (name === 'light') {
    seen.consent = await press(page, /^allow/i);
    await page.waitForURL(u => u.origin === redirect.origin);
    seen.ended = page.url();
  } else if (name === 'dark') {
    await page.getByRole('button', { name: /^deny/i }).click();
    await page.waitForURL(u => u.origin === redirect.origin);
    seen.denied = page.url();
  }
  await c.close();
}
await browser.close();
application.close();
seen.arrived = arrived;
console.log(JSON.stringify(seen));
