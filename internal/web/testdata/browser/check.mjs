// Looks at the pages with Chromium: node check.mjs ADDRESS ATTACKED [DIRECTORY OF SCREENSHOTS],
// where the log at ATTACKED holds what strangers sent to a nameserver. With ACCESS and PASSWORD in
// the environment, it logs in there. Prints a line of JSON for each fault, and "done".
import {chromium} from 'playwright-core';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {access} from './access.mjs';

const base = process.argv[2];
const attacked = process.argv[3];
const shots = process.argv[4];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const fault = (where, what) => console.log(JSON.stringify({where, what: String(what).slice(0, 2000)}));
const check = (where, ok, what) => { if (!ok) fault(where, what); };

const browser = await chromium.launch({executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']});

// patience is for how long anything may take, in ms, on a machine that does other things, too.
const patience = 120_000;

// opened is a page that tells of what it should not do, such as to ask other sites. allow is a
// message of the console that is no fault.
async function opened(where, options, {sites = [base, attacked], allow} = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  const page = await context.newPage();
  page.on('console', m => { if ((m.type() === 'error' || m.type() === 'warning') && !(allow && m.text().startsWith(allow))) fault(where, 'console: ' + m.text()); });
  page.on('pageerror', e => fault(where, 'script: ' + e));
  page.on('dialog', d => { fault(where, 'dialog: ' + d.message()); d.dismiss(); });
  page.on('request', r => { if (!sites.some(site => r.url().startsWith(site))) fault(where, 'asks ' + r.url()); });
  return {page, context};
}

// judge has axe look at a page.
async function judge(page, where) {
  await page.evaluate(axe);
  const {violations} = await page.evaluate(() => axe.run({preload: false, resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}));
  for (const v of violations) fault(where, `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 200)).join(' | ')}`);
}

const all = 'since=24h';
const pages = {
  overview: '/?' + all, client: '/?ip=192.0.2.1&' + all, domain: '/?domain=%3Dbrand-1.example&' + all, empty: '/?domain=nobody&' + all,
  network: '/?ip=203.0.113.0/24&' + all, system: '/?as=AS64500&' + all, receiver: '/?resolver=198.51.100.1&' + all,
  top: '/top?by=sender&n=20&from=20&sort=value&' + all, events: '/events?since=15m',
  live: '/live?' + all, downloads: '/downloads', zones: '/zones', servers: '/servers',
};
const screens = {
  desktop: {viewport: {width: 1280, height: 900}, colorScheme: 'light', timezoneId: 'Asia/Tokyo', locale: 'en-GB'},
  phone: {viewport: {width: 360, height: 740}, colorScheme: 'dark', isMobile: true, hasTouch: true},
  large: {viewport: {width: 3840, height: 2160}, colorScheme: 'dark'},
};

// shown are the pages that each screen shows.
const shown = {desktop: Object.keys(pages), phone: ['overview', 'client', 'events', 'live', 'downloads', 'zones'], large: ['overview']};
// judged are those at which axe-core looks, which takes seconds. Those with other filters than
// the client have nothing else; on a phone, it is the colours and sizes that differ.
const judged = {desktop: shown.desktop.filter(name => !['domain', 'network', 'system', 'receiver', 'downloads'].includes(name)), phone: ['downloads', 'zones'], large: []};

async function look(screen, name) {
  const where = `${name} on ${screen}`;
  const {page, context} = await opened(where, screens[screen]);
  let bytes = 0, script = 0;
  page.on('response', async r => {
    const length = (await r.body().catch(() => Buffer.alloc(0))).length;
    bytes += length;
    if (r.url().endsWith('.js')) script += length;
  });
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver(list => { for (const e of list.getEntries()) window.shift += e.value; }).observe({type: 'layout-shift', buffered: true});
  });
  const answer = await page.goto(base + pages[name], {waitUntil: 'load'});
  check(where, answer.ok(), answer.status());
  if (name === 'live') await page.waitForSelector('tbody.live tr');
  check(where, await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'is wider than the screen');
  if (name === 'events') await page.evaluate(() => { document.querySelector('.events td:nth-child(2)').textContent = 'exists+exp'; });
  check(where, await page.evaluate(() => [...document.querySelectorAll('th, td')].every(e => e.scrollWidth <= e.clientWidth + 1)), 'a cell of a table runs into the next');
  check(where, await page.evaluate(() => window.shift) <= 0.05, 'the layout shifts by ' + await page.evaluate(() => window.shift));
  check(where, !await page.locator('.loading').isVisible(), 'it still counts');
  if (name === 'overview') {
    check(where, bytes <= 150_000, `${bytes} bytes`);
    check(where, script <= 60_000, `${script} bytes of script`);
  }
  if (judged[screen].includes(name)) await judge(page, where);
  if (shots) await page.screenshot({path: `${shots}/${name}-${screen}.png`, fullPage: name !== 'live' && screen !== 'large'});
  await context.close();
}

// Several pages at once, each in a context of its own.
const left = Object.keys(screens).flatMap(screen => shown[screen].map(name => [screen, name]));
await Promise.all(Array.from({length: 4}, async () => {
  for (let next; (next = left.shift());) await look(...next);
}).concat(process.env.ACCESS ? access({opened, check, judge, screens, base: process.env.ACCESS, elsewhere: base.replace('127.0.0.1', 'localhost'), password: process.env.PASSWORD}) : []));

// What strangers sent executes nothing and breaks no layout, wherever it leads.
async function attack(path, screen) {
  const where = `attacked ${path} on ${screen}`;
  const {page, context} = await opened(where, screens[screen]);
  await page.goto(attacked + path, {waitUntil: 'load'});
  const whole = async () => {
    check(where, await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), page.url() + ' is wider than the screen');
    check(where, await page.evaluate(() => [...document.querySelectorAll('main *')].every(e => ![...e.attributes].some(a => a.name.startsWith('on')) && !['IMG', 'SCRIPT', 'IFRAME', 'B'].includes(e.tagName) || e.closest('.chips, .failure'))), page.url() + ' has markup of a stranger');
    check(where, await page.evaluate(() => document.title.endsWith(' - nullspf') && window.pwned === undefined), 'something executed');
  };
  await whole();
  const links = await page.locator('main table a').evaluateAll(list => list.filter(a => /[<>"'\\\\=]/.test(a.textContent)).map(a => a.href));
  check(where, path.includes('smtp') || links.length > 0, 'no hostile link');
  for (const link of links.slice(-2)) {
    await page.goto(link, {waitUntil: 'load'});
    await whole();
    check(where, await page.locator('.chart, h1').count() > 0, link + ' shows nothing');
  }
  if (shots) await page.screenshot({path: `${shots}/attacked-${screen}-${path.replace(/\W/g, '')}.png`});
  await context.close();
}
await Promise.all([attack('/', 'desktop'), attack('/top?by=helo&n=400', 'phone'), attack('/events?source=smtp', 'desktop'), attack('/events', 'phone')]);

// What a viewer does.
{
  const {page, context} = await opened('use', screens.desktop);
  await page.goto(base + pages.overview);
  check('use', (await page.locator('h2').first().textContent()).startsWith('612 attempts'), 'not the attempts');
  const time = page.locator('time').first();
  const utc = new Date(await time.getAttribute('datetime'));
  const inTokyo = new Date(+utc + 9 * 3600e3);
  const textOf = at => at.toISOString().slice(0, 19).replace('T', ' ');
  check('use', await time.getAttribute('title') === textOf(utc) + ' UTC' && await time.textContent() === textOf(inTokyo), 'times are not local');
  await page.waitForFunction(() => document.querySelector('.zone').textContent.endsWith('Asia/Tokyo'));

  await page.emulateMedia({media: 'print'});
  check('use', !await page.locator('header').isVisible() && !await page.locator('.filter').isVisible() && await page.locator('.zoom .chart').isVisible(), 'print is not for paper');
  await page.emulateMedia({media: 'screen'});

  await page.keyboard.press('Tab');
  check('use', await page.evaluate(() => document.activeElement.className) === 'skip', 'the first Tab is not the way to the numbers');
  check('use', await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle) === 'solid', 'focus cannot be seen');
  await page.keyboard.press('/');
  check('use', await page.evaluate(() => document.activeElement.name) === 'q', '/ does not go to the search');
  await page.keyboard.type('brand-2');
  await page.keyboard.press('Enter');
  await page.waitForURL(/domain=brand-2.*since=24h/);
  check('use', (await page.locator('h2').first().textContent()).startsWith('200 attempts'), 'the search finds ' + await page.locator('h2').first().textContent());

  await page.getByRole('link', {name: '203.0.113.4', exact: true}).first().click();
  await page.waitForURL(/ip=203\.0\.113\.4/);
  check('use', /domain=brand-2/.test(page.url()), 'the filter is gone');
  check('use', await page.locator('.chips a').count() === 2, 'not two chips');
  await page.locator('.chips a').first().click();
  await page.waitForURL(url => !/domain=/.test(url));
  check('use', /ip=203\.0\.113\.4/.test(page.url()), 'the other filter is gone');

  await page.goto(base + pages.top);
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', {name: 'Copy the table'}).click();
  await page.getByRole('button', {name: '20 rows copied'}).waitFor();
  const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
  check('use', copied.length === 21 && copied[1].split('\t').length === 3, 'copied ' + copied.slice(0, 3));
  check('use', !copied.some(line => line.split('\t').some(cell => /^[=+@-]/.test(cell))), 'a formula is copied');
  await page.getByRole('link', {name: 'attempts'}).click();
  await page.waitForURL(url => !/sort=/.test(url));
  check('use', await page.locator('th[aria-sort=descending]').count() === 1, 'it is not sorted');

  await page.goto(base + pages.overview);
  const box = await page.locator('.zoom .chart').boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2, {steps: 5});
  await page.mouse.up();
  await page.waitForURL(/until=/);
  check('use', /since=2026-11-19T19:00.*until=2026-11-20T03:00/.test(decodeURIComponent(page.url())), 'zoomed to ' + page.url());

  await page.goto(base + pages.overview);
  const bar = page.locator('.zoom .chart g[data-from="2026-11-20T02:00:00Z"] .hit');
  await bar.click();
  await page.waitForURL(/since=2026-11-20T02/);
  check('use', (await page.locator('h2').first().textContent()).startsWith('60 attempts'), 'a bar leads to ' + await page.locator('h2').first().textContent());
  await context.close();
}

// Without script, all but zoom and live events works.
{
  const {page, context} = await opened('without script', {...screens.desktop, javaScriptEnabled: false});
  await page.goto(base + pages.overview);
  await page.getByRole('link', {name: 'All clients'}).click();
  check('without script', /\/top\?by=ip/.test(page.url()) && await page.locator('td').count() > 20, page.url());
  await page.goto(base + pages.live);
  check('without script', (await page.content()).includes('Live events need script'), 'it does not say what to do');
  await context.close();
}
await browser.close();
console.log('"done"');
