// Measures a page with Chromium: node measure.mjs URL [ROUNDS]. Prints a JSON object with
// medians: first byte, largest contentful paint and load in ms; bytes and bytes of script as
// they are without compression; and what the largest paint was.
import {chromium} from 'playwright-core';

const [url, rounds = '5'] = process.argv.slice(2);
const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']});
const median = list => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const samples = [];
for (let i = 0; i < Number(rounds); i++) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}});
  const page = await context.newPage();
  // The tab has shown something of this server: what it takes to start the process of a tab is not
  // the page's. Of what the page needs, nothing but the icon is in the cache.
  await page.goto(new URL('/static/icon.svg', url).href);
  await page.waitForTimeout(200);
  let bytes = 0, script = 0;
  page.on('response', async r => {
    const length = (await r.body().catch(() => Buffer.alloc(0))).length;
    bytes += length;
    if (r.url().endsWith('.js')) script += length;
  });
  await page.addInitScript(() => {
    window.paint = {at: 0, what: ''};
    new PerformanceObserver(list => {
      for (const e of list.getEntries()) window.paint = {at: e.startTime, what: e.element ? e.element.tagName + ' ' + e.element.textContent.slice(0, 40) : ''};
    }).observe({type: 'largest-contentful-paint', buffered: true});
  });
  await page.goto(url, {waitUntil: 'load', timeout: 120_000});
  await page.waitForTimeout(200);
  const timing = await page.evaluate(() => {
    const n = performance.getEntriesByType('navigation')[0];
    return {first: n.responseStart, load: n.loadEventEnd, lcp: window.paint.at, what: window.paint.what};
  });
  samples.push({...timing, bytes, script});
  await context.close();
}
await browser.close();
const of = name => median(samples.map(s => s[name]));
console.log(JSON.stringify({first: of('first'), lcp: of('lcp'), load: of('load'), bytes: of('bytes'), script: of('script'), what: samples[0].what}));
