// usage: node release.mjs GATEWAY PERSON OUT_DIR   the console's held tools in headless Chromium, JavaScript off: what is seen
// in light, dark and at 320 px, and what is there after the first button was pressed by keyboard.
import { chromium } from 'playwright-core';

const [gateway, person, out] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const seen = { failures: [], pages: [], stops: [] };

for (const [name, options] of [['narrow', { viewport: { width: 320, height: 640 } }], ['dark', { colorScheme: 'dark' }], ['light', {}]]) {
  const c = await browser.newContext({ javaScriptEnabled: false, ...options });
  c.on('console', m => { if (/content security policy|refused/i.test(m.text())) seen.failures.push(m.text()); });
  c.on('request', r => { if (new URL(r.url()).origin !== new URL(gateway).origin) seen.failures.push(r.url()); });
  const page = await c.newPage();
  await page.goto(`${gateway}/sign-in?return=${encodeURIComponent('/admin')}`);
  await page.getByRole('button', { name: new RegExp(person, 'i') }).click();
  await page.waitForURL(/\/admin/);
  const held = page.getByRole('region', { name: 'Tools that changed' });
  const button = held.getByRole('button', { name: /^release/i }).first();
  const size = await button.boundingBox();
  const wide = await page.locator('body').evaluate(b => b.ownerDocument.documentElement.scrollWidth).catch(() => null);
  seen.pages.push({ name, wide, height: size.height, text: await held.innerText(), buttons: await held.getByRole('button').allInnerTexts() });
  await page.screenshot({ path: `${out}/console-${name}.png`, fullPage: true });
  if (name === 'narrow') { // the portal's table of applications is the widest there is
    const broken = await page.locator('th').evaluateAll(cells => cells.map(c => {
      const text = c.ownerDocument.createRange();
      text.selectNodeContents(c);
      return /\s/.test(c.textContent.trim()) || text.getClientRects().length < 2 ? '' : c.textContent;
    }).filter(Boolean));
    await page.goto(`${gateway}/`);
    seen.portal = { broken, applications: await page.locator('#applications ~ div tbody tr').count(), wide: await page.locator('body').evaluate(b => b.ownerDocument.documentElement.scrollWidth) };
  }
  if (name === 'light') {
    for (let i = 0; i < 60 && !/^release/i.test(seen.stops.at(-1) ?? ''); i++) {
      await page.keyboard.press('Tab');
      const focus = page.locator(':focus');
      if (await focus.count()) seen.stops.push(((await focus.textContent()) ?? '').trim().slice(0, 60));
    }
    await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
    seen.after = { url: page.url(), left: await page.getByRole('button', { name: /^release/i }).allInnerTexts() };
  }
  await c.close();
}
await browser.close();
console.log(JSON.stringify(seen));
