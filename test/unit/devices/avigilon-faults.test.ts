import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAvigilonServer, type AvigilonServer } from '../../devices/avigilon/avigilon-server';
import { userLogin } from '../../devices/avigilon/event-drafts';
import { PlainClient, send, type PlainAnswer } from '../../devices/avigilon/plain-client';
import { Faults } from '../../devices/avigilon/faults';
import { seededRandom } from '../../devices/seeded-random';
import { ManualClock } from '../support/manual-clock';

const NOON = Date.UTC(2026, 0, 15, 12);
const SEARCH = 'GET /events/search';
let clock: ManualClock;
let server: AvigilonServer;
let client: PlainClient;
let serverId: string;
beforeEach(async () => {
  clock = new ManualClock(NOON + 60_000);
  server = await startAvigilonServer({ clock, maxLimit: 3 });
  client = new PlainClient(server.apiUrl, () => clock.now());
  await client.login();
  serverId = server.site.servers[0]!.id;
  server.controls.record(Array.from({ length: 8 }, (_, index) => userLogin(serverId, NOON + index, seededRandom(1))));
});
afterEach(() => server.close());

const first = (): Promise<PlainAnswer> =>
  client.search({ queryType: 'TIME_RANGE', serverId, from: '2026-01-15T12:00:00Z', to: '2026-01-15T12:00:01Z' });
const next = ({ json }: PlainAnswer): Promise<PlainAnswer> => client.search({ queryType: 'CONTINUE', token: json.result.token as string });
const offsets = ({ json }: PlainAnswer): number[] => (json.result.events as { timestamp: string }[]).map(({ timestamp }) => Date.parse(timestamp) - NOON);
const status = async (): Promise<number> => (await client.get('/sites')).status;

describe('which requests are hit', () => {
  it('the next one, once', async () => {
    const fault = server.controls.fault({ kind: 'status', status: 503 });
    expect([await status(), await status()]).toEqual([503, 200]);
    expect(fault.hits).toBe(1);
    expect(server.stats.faults).toMatchObject([{ kind: 'status', route: 'GET /sites' }]);
  });

  it('as many as told, after as many as told, on the route told', async () => {
    server.controls.fault({ kind: 'status', status: 504, route: 'GET /sites', skip: 1, times: 2 });
    expect((await client.get('/servers')).status).toBe(200);
    expect([await status(), await status(), await status(), await status()]).toEqual([200, 504, 504, 200]);
  });

  it('all, until it is cancelled or cleared', async () => {
    const fault = server.controls.fault({ kind: 'status', status: 500, times: Infinity });
    expect([await status(), await status()]).toEqual([500, 500]);
    fault.cancel();
    expect(await status()).toBe(200);
    server.controls.fault({ kind: 'status', status: 500, times: Infinity });
    server.controls.clearFaults();
    expect(await status()).toBe(200);
  });

  it('by chance, the same ones in every run', () => {
    const hit = (seed: number): boolean[] => {
      const faults = new Faults(seededRandom(seed));
      faults.arm({ kind: 'cut', probability: 0.3, times: Infinity });
      return Array.from({ length: 1000 }, () => faults.take('answer', 'any') !== undefined);
    };
    expect(hit(5)).toEqual(hit(5));
    expect(hit(5)).not.toEqual(hit(6));
    const share = hit(5).filter(Boolean).length / 1000;
    expect(share).toBeGreaterThan(0.25);
    expect(share).toBeLessThan(0.35);
  });
});

describe('requests that go wrong', () => {
  it.each([403, 500, 503, 504])('%i in the error envelope', async (code) => {
    server.controls.fault({ kind: 'status', status: code, message: 'told to' });
    expect((await client.get('/sites')).json).toMatchObject({ status: 'error', statusCode: code, message: 'told to' });
  });

  it('a page of HTML', async () => {
    server.controls.fault({ kind: 'status', status: 502, html: true });
    expect(await client.get('/sites')).toMatchObject({ status: 502, headers: { 'content-type': 'text/html' }, json: undefined });
  });

  it('a session that expires under a search, until the next login', async () => {
    const page = await first();
    server.controls.fault({ kind: 'sessionExpired', route: SEARCH });
    expect((await send(`${server.apiUrl}/health`)).status).toBe(200);
    expect((await next(page)).status).toBe(401);
    expect((await next(page)).json.message).toBe('session expired');
    await client.login();
    expect(offsets(await next(page))).toEqual([3, 4, 5]);
  });

  it('no answer at all', async () => {
    server.controls.fault({ kind: 'hang' });
    const failure = client.get('/sites').then(() => 'answered', () => 'failed');
    await server.stats.until(({ faults }) => faults.length === 1);
    expect(server.stats.requestLog.at(-1)?.status).toBe(0);
    await server.controls.powerOff();
    expect(await failure).toBe('failed');
  });

  it('a slow answer', async () => {
    server.controls.fault({ kind: 'slow', ms: 20_000 });
    const answer = status();
    await server.stats.until(({ faults }) => faults.length === 1);
    clock.advance(19_999);
    expect(server.stats.requestLog.at(-1)?.status).toBe(0);
    clock.advance(1);
    expect(await answer).toBe(200);
  });

  it('a reset connection', async () => {
    server.controls.fault({ kind: 'reset' });
    await expect(status()).rejects.toThrow(/ECONNRESET|hang up/);
  });

  it('an answer cut in the middle of the body', async () => {
    server.controls.fault({ kind: 'cut' });
    await expect(client.get('/cameras')).rejects.toThrow(/aborted|ECONNRESET/);
    expect(server.stats.requestLog.at(-1)?.status).toBe(0);
  });

  it('half of the JSON', async () => {
    server.controls.fault({ kind: 'malformed' });
    const { body, json } = await client.get('/sites');
    expect(body).toMatch(/^\{"status":"success"/);
    expect(json).toBeUndefined();
  });

  it('a clock that jumps', async () => {
    server.controls.fault({ kind: 'clockChange', offsetMs: -3_600_000, route: 'POST /login' });
    expect((await client.login()).status).toBe(403);
    expect(server.stats.refusedLogins).toMatchObject([{ why: 'skew' }]);
    expect(server.now()).toBe(clock.now() - 3_600_000);
  });

  it('a restart under the request', async () => {
    const page = await first();
    server.controls.fault({ kind: 'restart' });
    await expect(status()).rejects.toThrow();
    await server.stats.until(({ connectionsOpen }) => connectionsOpen === 0);
    await server.controls.powerOn();
    expect(await status()).toBe(401);
    await client.login();
    expect((await next(page)).status).toBe(400);
    expect(offsets(await first())).toEqual([0, 1, 2]);
  });

  it('whatever a test thinks of', async () => {
    server.controls.fault({ kind: 'run', run: () => server.controls.expireSessions() });
    expect(await status()).toBe(401);
  });

  it('the same over TLS', async () => {
    await server.close();
    server = await startAvigilonServer({ clock, tls: 'self-signed' });
    client = new PlainClient(server.apiUrl, () => clock.now());
    server.controls.fault({ kind: 'reset' });
    server.controls.fault({ kind: 'cut', skip: 0 });
    await expect(status()).rejects.toThrow();
    await expect(client.get('/health')).rejects.toThrow();
    expect((await client.login()).status).toBe(200);
  });
});

describe('pages that go wrong', () => {
  it('an empty page with a token that goes on', async () => {
    const page = await first();
    server.controls.fault({ kind: 'emptyPage' });
    const empty = await next(page);
    expect(offsets(empty)).toEqual([]);
    expect(offsets(await next(empty))).toEqual([3, 4, 5]);
  });

  it('an empty first page', async () => {
    server.controls.fault({ kind: 'emptyPage' });
    expect(offsets(await next(await first()))).toEqual([0, 1, 2]);
  });

  it('the page before once more, then the right one', async () => {
    server.controls.fault({ kind: 'repeatedPage' });
    const page = await first();
    expect(offsets(page)).toEqual([0, 1, 2]);
    const again = await next(page);
    expect(offsets(again)).toEqual([0, 1, 2]);
    const second = await next(again);
    expect(offsets(second)).toEqual([3, 4, 5]);
    server.controls.fault({ kind: 'repeatedPage' });
    expect(offsets(await next(second))).toEqual([3, 4, 5]);
  });

  it('the same page for ever', async () => {
    server.controls.fault({ kind: 'repeatedPage', times: Infinity });
    let page = await first();
    for (let turn = 0; turn < 5; turn += 1) {
      page = await next(page);
      expect(offsets(page)).toEqual([0, 1, 2]);
    }
  });

  it('a page that begins with events of the page before', async () => {
    server.controls.fault({ kind: 'overlap', events: 2 });
    const second = await next(await first());
    expect(offsets(second)).toEqual([1, 2, 3]);
    expect(offsets(await next(second))).toEqual([4, 5, 6]);
    server.controls.fault({ kind: 'overlap', events: 100 });
    expect(offsets(await next(second))).toEqual([0, 1, 2]);
  });
});

describe('going down', () => {
  it('refuses connections until it is back on the same port, and goes on writing events', async () => {
    const { port } = server;
    await server.controls.powerOff();
    await expect(status()).rejects.toThrow(/ECONNREFUSED/);
    server.controls.record([userLogin(serverId, NOON + 100, seededRandom(1))]);
    await server.controls.powerOn();
    expect(server.port).toBe(port);
    await client.login();
    const { events } = await client.searchAll({ serverId, from: '2026-01-15T12:00:00.100Z', to: '2026-01-15T12:00:01Z' });
    expect(events).toHaveLength(1);
  });

  it('stays closed once closed', async () => {
    await server.close();
    await server.controls.powerOn();
    await expect(status()).rejects.toThrow(/ECONNREFUSED/);
  });
});
