// usage: node console.mjs GATEWAY PERSON [PATH]   signs in to the console, or another page, without scripts and prints it
import { Browser } from './signin.mjs';

const [base, person, path = '/admin'] = process.argv.slice(2);
const browser = new Browser(new URL(base).origin);
const people = await browser.open(`${base}/sign-in?return=${encodeURIComponent(path)}`);
const page = await browser.press(people, new RegExp(`\\b${person}\\b`, 'i'));
console.log(JSON.stringify({ html: page.html ?? '' }));
