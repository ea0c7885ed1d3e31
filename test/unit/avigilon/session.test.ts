import { describe, expect, test } from 'vitest';
import { LoginGate } from '../../../nodes/kit/login-gate';
import { crossings } from '../../devices/avigilon/crossings';
import { seededRandom } from '../../devices/seeded-random';
import { clientOf, HOUR, MINUTE, Reading, SECOND, settle, simulated, stopEvent, until, type ClientSettings, type Rig } from './support/rig';

const never = new AbortController().signal;
const servers = (rig: Rig, settings: ClientSettings = {}) => clientOf(rig, settings).get('/server/ids', [], never);

describe('a refused login says what is wrong', () => {
  test.each<[string, ClientSettings, string, RegExp]>([
    ['password', { login: { password: 'wrong' } }, 'AVIGILON_PASSWORD', /user and password/],
    ['nonce', { login: { nonce: 'wrong' } }, 'AVIGILON_NONCE_OR_KEY', /clocks agree/],
    ['nonce in lower case', { login: { nonce: 'simnonce01' } }, 'AVIGILON_NONCE_OR_KEY', /nonce/],
    ['key', { login: { key: 'wrong' } }, 'AVIGILON_NONCE_OR_KEY', /key/],
    ['integration id', { login: { integrationId: 'other' } }, 'AVIGILON_NONCE_OR_KEY', /integration id/],
  ])('%s', async (_, settings, code, text) => {
    const rig = await simulated({ integrationId: 'mine' });
    const refused = servers(rig, settings);
    await expect(refused).rejects.toMatchObject({ code });
    await expect(refused).rejects.toThrow(text);
  });

  test.each([
    [10 * MINUTE, /10 minutes ahead/],
    [-3 * HOUR, /3 hours behind/],
    [40 * 24 * HOUR, /40 days ahead/],
  ])('clock, %i ms off', async (offset, text) => {
    const rig = await simulated();
    rig.server.controls.setClockOffset(offset);
    const refused = servers(rig);
    await expect(refused).rejects.toMatchObject({ code: 'AVIGILON_CLOCK_SKEW' });
    await expect(refused).rejects.toThrow(text);
  });

  test('certificate that is not trusted', async () => {
    const rig = await simulated({ tls: 'self-signed' });
    await expect(servers(rig)).rejects.toMatchObject({ code: 'TLS_FAILED' });
  });

  test('a self-signed certificate is taken where the user says so', async () => {
    const rig = await simulated({ tls: 'self-signed' });
    await expect(servers(rig, { tls: { mode: 'insecure' } })).resolves.toBeDefined();
  });

  test('another service, or the wrong path', async () => {
    const rig = await simulated();
    await expect(servers(rig, { url: `${rig.server.url}/elsewhere` })).rejects.toMatchObject({ code: 'AVIGILON_BAD_ANSWER' });
    rig.server.controls.fault({ kind: 'status', status: 404, html: true });
    await expect(servers(rig)).rejects.toMatchObject({ code: 'AVIGILON_BAD_ANSWER' });
  });

  test('a server that cannot now', async () => {
    const rig = await simulated();
    rig.server.controls.fault({ kind: 'status', status: 503, route: 'POST /login' });
    await expect(servers(rig)).rejects.toMatchObject({ code: 'AVIGILON_UNAVAILABLE' });
  });

  test('without a word of password, nonce or key, whatever the server repeats', async () => {
    const rig = await simulated();
    const login = { password: 'pass-secret', nonce: 'nonce-secret', key: 'key-secret' };
    rig.server.controls.fault({ kind: 'status', status: 400, route: 'POST /login', message: `"password" with value "${login.password}", ${login.nonce}, ${login.key}` });
    await expect(servers(rig, { login })).rejects.toThrow(/^(?!.*-secret)/s);
    const client = clientOf(rig);
    await client.get('/server/ids', [], never);
  });
});

describe('logins are held back', () => {
  test('a wrong password is tried three times, by however many users, and then not for half an hour', async () => {
    const rig = await simulated();
    const client = clientOf(rig, { login: { password: 'wrong' } });
    const readings = [new Reading(rig, { client }), new Reading(rig, { client })];
    for (const reading of readings) await reading.start();
    for (let minute = 0; minute < 29; minute++) for (const reading of readings) await reading.pass(MINUTE / 2);
    expect(rig.server.stats.refusedLogins).toHaveLength(3);
    expect(readings[0]!.last).toMatchObject({ state: 'blocked', reason: { code: 'AVIGILON_PASSWORD' } });
    for (const reading of readings) await reading.pass(2 * MINUTE);
    expect(rig.server.stats.refusedLogins).toHaveLength(4);
  });

  test.each<[string, ClientSettings]>([
    ['key', { login: { key: 'wrong' } }],
    ['password', { login: { password: 'wrong' } }],
  ])('a wrong %s is tried once, however often the session is wanted', async (_, settings) => {
    const rig = await simulated();
    const client = clientOf(rig, settings);
    for (let asked = 0; asked < 20; asked++) await expect(client.get('/server/ids', [], never)).rejects.toMatchObject({ retryInMs: expect.any(Number) as number });
    expect(rig.server.stats.refusedLogins).toHaveLength(1);
  });

  test('a redeploy with the same wrong password tries no more', async () => {
    const rig = await simulated();
    const gate = new LoginGate(rig.clock);
    for (let deploy = 0; deploy < 5; deploy++) {
      const reading = await new Reading(rig, { login: { password: 'wrong' }, gate }).start();
      await reading.pass(2 * MINUTE);
      await reading.poller.stop();
    }
    expect(rig.server.stats.refusedLogins).toHaveLength(3);
  });

  test.each<[string, ClientSettings]>([
    ['nonce or key', { login: { key: 'wrong' } }],
    ['clock', {}],
  ])('a wrong %s is tried again every few minutes, and let in as soon as it is mended', async (what, settings) => {
    const rig = await simulated({ integrationId: 'x' });
    if (what === 'clock') rig.server.controls.setClockOffset(HOUR);
    const reading = await new Reading(rig, settings).start();
    await reading.pass(HOUR);
    expect(rig.server.stats.refusedLogins.length).toBeLessThanOrEqual(14);
    expect(rig.server.stats.refusedLogins.length).toBeGreaterThan(5);
    expect(reading.last?.state).toBe('disconnected');
    if (what !== 'clock') return;
    rig.server.controls.setClockOffset(0);
    await reading.pass(6 * MINUTE);
    expect(reading.last?.state).toBe('connected');
  });

  test('a person who asks to try again is heard', async () => {
    const rig = await simulated();
    rig.server.controls.setPassword('nodered', 'changed');
    const reading = await new Reading(rig).start();
    await reading.pass(10 * MINUTE);
    expect(reading.last?.state).toBe('blocked');
    rig.server.controls.setPassword('nodered', 'simulated-1');
    reading.client.retry();
    reading.poller.retry();
    await until(() => reading.last?.state === 'connected');
  });
});

describe('the session', () => {
  test('is one for all users, who come at the same time', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    await Promise.all(Array.from({ length: 20 }, () => client.get('/server/ids', [], never)));
    expect(rig.server.stats).toMatchObject({ logins: 1, sessionsPeak: 1 });
  });

  test.each([401, 403] as const)('that expired, refused with %i, is renewed once for all, and no request fails', async (unknownSession) => {
    const rig = await simulated({ unknownSession });
    const client = clientOf(rig);
    await client.get('/server/ids', [], never);
    if (unknownSession === 401) rig.server.controls.expireSessions();
    else await rig.server.controls.restart();
    await Promise.all(Array.from({ length: 5 }, () => client.get('/server/ids', [], never)));
    expect(rig.server.stats.logins).toBe(2);
  });

  test('is renewed after 50 minutes, and the old one logged out', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    for (let minute = 0; minute < 120; minute += 10) {
      await client.get('/server/ids', [], never);
      rig.clock.advance(10 * MINUTE);
    }
    await until(() => rig.server.stats.sessionsOpen === 1);
    expect(rig.server.stats).toMatchObject({ logins: 3, logouts: 2, refusedSessions: [] });
  });

  test('that is old, where no login can be had, serves on', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    await client.get('/server/ids', [], never);
    rig.clock.advance(55 * MINUTE);
    rig.server.controls.fault({ kind: 'status', status: 503, route: 'POST /login', times: Infinity });
    await expect(client.get('/server/ids', [], never)).resolves.toBeDefined();
  });

  test('does not pile up over 1000 laps with everything that ends sessions, and is logged out in the end', async () => {
    const rig = await simulated({ site: { servers: 1, cameras: 2 }, sessionIdleMs: 20 * MINUTE });
    const reading = await new Reading(rig, { intervalMs: MINUTE }).start();
    for (let hour = 0; hour < 16; hour++) {
      if (hour % 3 === 0) rig.server.controls.expireSessions();
      if (hour % 5 === 0) rig.server.controls.fault({ kind: 'sessionExpired', route: 'GET /events/search' });
      if (hour % 4 === 0) rig.server.controls.fault({ kind: 'status', status: 403, route: 'GET /events/search', times: 3 });
      await reading.pass(HOUR + 3 * MINUTE);
    }
    expect(rig.server.stats.queries.length).toBeGreaterThan(900);
    await until(() => rig.server.stats.sessionsOpen <= 1);
    expect(rig.server.stats.sessionsPeak).toBeLessThanOrEqual(2);
    await reading.poller.stop();
    await reading.client.close();
    expect(rig.server.stats.sessionsOpen).toBe(0);
  });

  test('that the server refuses although new is told of, not asked for in a storm', async () => {
    const rig = await simulated();
    rig.server.controls.fault({ kind: 'status', status: 403, route: 'GET /events/search', times: Infinity });
    const reading = await new Reading(rig).start();
    await reading.pass(10 * MINUTE);
    expect(reading.last).toMatchObject({ state: 'disconnected', reason: { code: 'AVIGILON_SESSION_REFUSED' } });
    expect(rig.server.stats.logins).toBeLessThan(50);
    expect(rig.server.stats.sessionsPeak).toBeLessThanOrEqual(2);
  });

  test('is not left behind by a login that is under way at the end', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    rig.server.controls.fault({ kind: 'slow', ms: 1000, route: 'POST /login' });
    const asked = client.get('/server/ids', [], never);
    await until(() => rig.server.stats.faults.length === 1);
    const closed = client.close();
    rig.clock.advance(1000);
    await Promise.all([closed, asked.catch(() => undefined)]);
    expect(rig.server.stats).toMatchObject({ logins: 1, sessionsOpen: 0 });
  });

  test('stays until those who use it have said farewell', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    const leave = client.lease();
    await client.get('/server/ids', [], never);
    const closed = client.close();
    await settle();
    await client.get('/server/ids', [], never);
    expect(rig.server.stats).toMatchObject({ logins: 1, logouts: 0 });
    leave();
    await closed;
    expect(rig.server.stats).toMatchObject({ logins: 1, logouts: 1, sessionsOpen: 0 });
  });

  test('a user who stops waiting for the login does not end it for the others', async () => {
    const rig = await simulated();
    const client = clientOf(rig);
    rig.server.controls.fault({ kind: 'slow', ms: 1000, route: 'POST /login' });
    const impatient = new AbortController();
    const first = client.get('/server/ids', [], impatient.signal);
    const second = client.get('/server/ids', [], never);
    await until(() => rig.server.stats.faults.length === 1);
    impatient.abort();
    await expect(first).rejects.toThrow();
    rig.clock.advance(1000);
    await expect(second).resolves.toBeDefined();
    expect(rig.server.stats.logins).toBe(1);
  });
});

describe('how the session is sent', () => {
  test('as a header, which no log keeps, where the server takes it', async () => {
    const rig = await simulated();
    const reading = await new Reading(rig).start();
    await reading.pass(MINUTE);
    expect(rig.server.stats.sessionWays).toMatchObject({ query: 0, 'header+query': 0 });
    expect(rig.server.stats.refusedSessions).toEqual([]);
  });

  test('in the query too before 7.12, found out with one login', async () => {
    const rig = await simulated({ version: '7.10.4.2' });
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 20, from: rig.clock.now(), to: rig.clock.now() + MINUTE, random: seededRandom(1) });
    rig.server.controls.record(events);
    await reading.pass(2 * MINUTE);
    expect(reading.names).toEqual(['connecting', 'connected']);
    expect(reading.events.length).toBeGreaterThan(0);
    expect(rig.server.stats.logins).toBe(1);
    expect(rig.server.stats.refusedSessions).toHaveLength(1);
  });

  test('an expired session is renewed there too', async () => {
    const rig = await simulated({ version: '7.8.0.0' });
    const client = clientOf(rig);
    await client.get('/server/ids', [], never);
    rig.server.controls.expireSessions();
    await client.get('/server/ids', [], never);
    expect(rig.server.stats.logins).toBe(2);
  });

  test('as the user says', async () => {
    const old = await simulated({ version: '7.10.4.2' });
    await servers(old, { transport: 'query' });
    expect(old.server.stats.refusedSessions).toEqual([]);
    await expect(servers(old, { transport: 'header' })).rejects.toMatchObject({ code: 'AVIGILON_REQUEST_REFUSED' });
  });
});

test('pages whose tokens die with the session are read all the same', async () => {
  const rig = await simulated({ maxLimit: 5, continuation: { boundToSession: true, singleUse: true } });
  const reading = await new Reading(rig).start();
  const at = rig.clock.now() + SECOND;
  rig.server.controls.record(Array.from({ length: 60 }, (_, index) => stopEvent(rig, at + index)));
  for (const skip of [3, 9, 15]) rig.server.controls.fault({ kind: 'sessionExpired', route: 'GET /events/search', skip });
  await reading.pass(MINUTE);
  expect(reading.events).toHaveLength(60);
  expect(new Set(reading.ids).size).toBe(60);
  expect(reading.names).toEqual(['connecting', 'connected']);
});
