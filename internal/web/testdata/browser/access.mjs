// Logs in and out as people do, and looks at what somebody sees who may see pseudonyms only.
import {readFileSync} from 'node:fs';

// access looks at the pages at base, whose users are alice and bob; elsewhere is another site.
export async function access({opened, check, judge, screens, base, elsewhere, password}) {
  const secure = {...screens.desktop, ignoreHTTPSErrors: true};
  const refused = 'Failed to load resource: the server responded with a status of 401';
  const raw = /\b(203\.0\.113|198\.51\.100|192\.0\.2)\.(?!0\/24)\d+|\buser\d+/;
  const fill = async (page, name, secret) => {
    await page.getByLabel('name').fill(name);
    await page.getByLabel('password').fill(secret);
    await page.keyboard.press('Enter');
  };

  {
    const where = 'login';
    const {page, context} = await opened(where, secure, {sites: [base, elsewhere], allow: refused});
    await page.goto(base + '/top?by=ip&since=24h');
    check(where, page.url() === base + '/login?next=%2Ftop%3Fby%3Dip%26since%3D24h', page.url());
    check(where, await page.evaluate(() => document.activeElement.name) === 'name', 'the name has not the focus');
    await judge(page, where);
    await fill(page, 'alice', 'not this one');
    await page.getByRole('alert').waitFor();
    check(where, (await page.getByRole('alert').textContent()).includes('name or password is wrong'), 'it does not say what is wrong');
    check(where, await page.getByLabel('name').inputValue() === 'alice', 'the name is gone');
    check(where, await page.getByLabel('password').inputValue() === '', 'the password stands there');
    await fill(page, 'alice', password);
    await page.waitForURL(base + '/top?by=ip&since=24h');
    check(where, await page.locator('td').count() > 10, 'no numbers after the login');
    check(where, (await page.locator('.viewer').textContent()).includes('alice'), 'it does not say who looks');
    check(where, await page.evaluate(() => document.cookie) === '', 'script reads the cookie');
    const cookies = await context.cookies();
    check(where, cookies.length === 1 && cookies[0].name === '__Host-nullspf' && cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite === 'Strict', JSON.stringify(cookies));

    await page.goto(base + '/downloads?since=24h');
    await judge(page, 'downloads');
    for (const [link, name, lines] of [['CSV', 'nullspf-export.csv', 613], ['JSON', 'nullspf-export.jsonl', 612]]) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', {name: link, exact: true}).click()]);
      const text = readFileSync(await download.path(), 'utf8');
      check('downloads', download.suggestedFilename() === name, download.suggestedFilename());
      check('downloads', text.split('\n').length - 1 === lines && !/(^|,)"?[=+@\t\r-]/m.test(link === 'CSV' ? text : ''), `${link}: ${text.split('\n').length} lines, ${text.slice(0, 300)}`);
    }
    await page.goto(base + '/live?since=24h');
    await page.waitForSelector('tbody.live tr');

    // A colleague's link in a mail or on another site leads to the page, not to the login.
    await page.goto(elsewhere + '/servers');
    await page.evaluate(url => { location.href = url; }, base + '/events?since=15m');
    await page.waitForSelector('table.events td');
    check('link from elsewhere', page.url() === base + '/events?since=15m', page.url());

    await page.getByRole('button', {name: 'Log out'}).click();
    await page.waitForURL(base + '/login');
    check(where, (await context.cookies()).length === 0, 'the cookie stays');
    await page.goto(base + '/servers');
    check(where, page.url().startsWith(base + '/login'), 'after the logout: ' + page.url());
    await page.goBack().catch(() => {});
    check(where, !raw.test(await page.locator('body').innerText()), 'going back shows numbers');
    await context.close();
  }

  for (const [screen, options] of [['desktop', secure], ['phone', {...screens.phone, ignoreHTTPSErrors: true}]]) {
    const where = `pseudonyms on ${screen}`;
    const {page, context} = await opened(where, options, {sites: [base]});
    await page.goto(base + '/login');
    if (screen === 'phone') await judge(page, where + ', login');
    await fill(page, 'bob', password);
    await page.waitForURL(base + '/');
    for (const path of screen === 'phone' ? ['/?since=24h'] : ['/?since=24h', '/top?by=sender&since=24h', '/live?since=24h']) {
      await page.goto(base + path);
      if (path.startsWith('/live')) await page.waitForSelector('tbody.live tr');
      const seen = await page.content();
      check(where, !raw.test(seen.replaceAll('%2F', '/')), `${path} shows ${raw.exec(seen)}`);
      check(where, seen.includes('~'), path + ' has no pseudonyms');
      check(where, await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), path + ' is wider than the screen');
    }
    if (screen === 'phone') {
      await judge(page, where);
      await context.close();
      continue;
    }
    await page.goto(base + '/?since=24h');
    const pseudonym = page.locator('a', {hasText: /^~/}).first();
    const name = await pseudonym.textContent();
    await pseudonym.click();
    await page.waitForURL(/ip=/);
    check(where, (await page.locator('h2').first().textContent()).startsWith('86 attempts'), 'a pseudonym leads to ' + await page.locator('h2').first().textContent());
    check(where, (await page.locator('h1').textContent()).trim() === name, 'the page is called ' + await page.locator('h1').textContent());
    await context.close();
  }

  {
    const where = 'login without script';
    const {page, context} = await opened(where, {...secure, javaScriptEnabled: false}, {sites: [base]});
    await page.goto(base + '/events?since=15m');
    await fill(page, 'alice', password);
    await page.waitForURL(base + '/events?since=15m');
    await page.getByRole('button', {name: 'Log out'}).click();
    await page.waitForURL(base + '/login');
    await context.close();
  }
}
