// usage: node console.mjs GATEWAY PERSON   signs in to the console without scripts and prints the page
import { Browser } from './signin.mjs';

const [base, person] = process.argv.slice(2);
const browser = new Browser(new URL(base).origin);
const people = await browser.open(`${base}/sign-in?return=${encodeURIComponent('/admin')}`);
const page = await browser.press(people, new RegExp(`\\b${person}\\b`, 'i'));
console.log(JSON.stringify({ html: page.html ?? '' }));
