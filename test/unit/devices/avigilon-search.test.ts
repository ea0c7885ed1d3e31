import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startAvigilonServer, type AvigilonServer } from '../../devices/avigilon/avigilon-server';
import type { EventDraft, WepEvent } from '../../devices/avigilon/event-log';
import { analyticPair, motionPair, userLogin } from '../../devices/avigilon/event-drafts';
import type { AvigilonOptions } from '../../devices/avigilon/options';
import { PlainClient, send } from '../../devices/avigilon/plain-client';
import type { Camera } from '../../devices/avigilon/site';
import { seededRandom } from '../../devices/seeded-random';
import { ManualClock } from '../support/manual-clock';

const NOON = Date.UTC(2026, 0, 15, 12);
const random = seededRandom(1);
let clock: ManualClock;
let server: AvigilonServer;
let client: PlainClient;
let serverId: string;
const start = async (options: AvigilonOptions = {}): Promise<void> => {
  clock = new ManualClock(NOON + 3_600_000);
  server = await startAvigilonServer({ clock, ...options });
  client = new PlainClient(server.apiUrl, () => clock.now());
  await client.login();
  serverId = server.site.servers[0]!.id;
};
afterEach(() => server.close());

const camera = (index: number): Camera => server.site.cameras[index * 2]!;
const at = (ms: number): string => new Date(NOON + ms).toISOString();
const crossing = (startMs: number, stopMs: number, index = 0): [EventDraft, EventDraft] =>
  analyticPair(camera(index), camera(index).rules[0]!, { start: NOON + startMs, stop: NOON + stopMs }, random);
const login = (ms: number): EventDraft => userLogin(serverId, NOON + ms, random);
const events = (answer: { json: { result: { events: WepEvent[] } } }): WepEvent[] => answer.json.result.events;
const range = (more: Record<string, string | number | string[]> = {}): Record<string, string | number | string[]> => ({
  queryType: 'TIME_RANGE',
  serverId,
  from: at(0),
  to: at(3_600_000),
  ...more,
});
const offsets = (found: WepEvent[]): number[] => found.map(({ timestamp }) => Date.parse(timestamp) - NOON);

describe('events/search TIME_RANGE (facts A4)', () => {
  it('gives START and STOP with the fields of the facts, linked both ways', async () => {
    await start();
    server.controls.record(crossing(3_048, 4_512));
    const [first, last] = events(await client.search(range()));
    expect(first).toMatchObject({
      type: 'DEVICE_ANALYTICS_START',
      analyticEventName: 'AFORO ENTRADA PARQUEADERO NORTE',
      activity: 'OBJECT_COUNTING_ENTER',
      area: '',
      location: 'Unknown',
      cameraId: camera(0).id,
      timestamp: '2026-01-15T12:00:03.048Z',
      eventTriggerTime: '2026-01-15T12:00:03.429Z',
      originatingServerName: 'ESTADIO-01',
      originatingServerId: serverId,
      classifiedObjects: [{ subclass: 'VEHICLE_CAR', objectId: expect.any(Number) }],
    });
    expect(last).toMatchObject({ type: 'DEVICE_ANALYTICS_STOP', timestamp: '2026-01-15T12:00:04.512Z', classifiedObjects: [] });
    expect([first!.linkedEventId, last!.linkedEventId]).toEqual([last!.thisId, first!.thisId]);
    expect(last!.originatingEventId).toBe(last!.thisId);
  });

  it('has -1 as link while the end is not written', async () => {
    await start();
    const [first, last] = crossing(0, 5);
    server.controls.record([first]);
    expect(events(await client.search(range()))[0]!.linkedEventId).toBe('-1');
    server.controls.record([last]);
    expect(events(await client.search(range()))[0]!.linkedEventId).not.toBe('-1');
  });

  it('has no link, no camera on user events, and clientIp in two shapes', async () => {
    await start();
    server.controls.record(Array.from({ length: 40 }, (_, index) => login(index)));
    const found = events(await client.search(range()));
    expect(found.every((event) => !('linkedEventId' in event) && !('cameraId' in event))).toBe(true);
    expect(new Set(found.map(({ type, clientIp }) => `${type} ${typeof clientIp}`))).toEqual(new Set(['USER_LOGIN object', 'USER_LOGIN_FAILURE string']));
  });

  it('includes `from` and excludes `to`, to the microsecond', async () => {
    await start();
    server.controls.record([0, 10, 20, 30].map(login));
    const found = async (from: string, to: string): Promise<number[]> => offsets(events(await client.search(range({ from, to }))));
    expect(await found(at(10), at(30))).toEqual([10, 20]);
    expect(await found('2026-01-15T12:00:00.010001Z', '2026-01-15T12:00:00.030001Z')).toEqual([20, 30]);
    expect(await found('2026-01-15T07:00:00.010-05:00', '2026-01-15T12:00:00.030')).toEqual([10, 20]);
    expect(await found(at(10), at(10))).toEqual([]);
  });

  it('sorts by time, within a millisecond by writing', async () => {
    await start();
    server.controls.record([30, 10, 20].map(login));
    server.controls.record([10, 20, 30].map(login));
    const found = events(await client.search(range()));
    expect(offsets(found)).toEqual([10, 10, 20, 20, 30, 30]);
    for (const pair of [0, 2, 4]) expect(Number(found[pair]!.thisId)).toBeLessThan(Number(found[pair + 1]!.thisId));
  });

  it('filters by repeated topics, groups and devices', async () => {
    await start();
    const span = { start: NOON, stop: NOON + 1 };
    server.controls.record([...crossing(0, 1, 0), ...crossing(0, 1, 1), ...motionPair(camera(2), span, random), login(0)]);
    const types = async (more: Record<string, string | string[]>): Promise<string[]> =>
      [...new Set(events(await client.search(range(more))).map(({ type }) => type.replace('DEVICE_', '')))].sort();
    expect(await types({ eventTopics: ['DEVICE_ANALYTICS_STOP', 'DEVICE_MOTION_STOP'] })).toEqual(['ANALYTICS_STOP', 'MOTION_STOP']);
    expect(await types({ eventTopics: 'DEVICE' })).toHaveLength(4);
    expect(await types({ eventTopics: 'ALL' })).toHaveLength(5);
    expect(await types({ deviceIds: [camera(2).id, 'unknown'] })).toEqual(['MOTION_START', 'MOTION_STOP']);
    expect(events(await client.search(range({ deviceIds: [camera(0).id, camera(1).id] })))).toHaveLength(4);
    expect(server.stats.queries[0]).toMatchObject({ topics: ['DEVICE_ANALYTICS_STOP', 'DEVICE_MOTION_STOP'], limit: 1000, served: 3, hasToken: false });
  });

  it('is about one server', async () => {
    await start();
    server.controls.record([login(0), userLogin(server.site.servers[1]!.id, NOON, random)]);
    expect(events(await client.search(range()))).toHaveLength(1);
    expect(events(await client.search(range({ serverId: server.site.servers[1]!.id })))).toMatchObject([{ originatingServerName: 'ESTADIO-02' }]);
    expect((await client.search(range({ serverId: server.site.servers.map(({ id }) => id) }))).status).toBe(400);
    expect((await client.search(range({ serverId: 'other' }))).status).toBe(404);
  });

  it('finds nothing of other servers when told that it runs on one', async () => {
    await start();
    await server.close();
    const [mine, other] = server.site.servers;
    server = await startAvigilonServer({ clock, site: server.site, localServer: mine!.id });
    client = new PlainClient(server.apiUrl, () => clock.now());
    await client.login();
    server.controls.record([login(0), userLogin(other!.id, NOON, random)]);
    expect(events(await client.search(range()))).toHaveLength(1);
    expect(events(await client.search(range({ serverId: other!.id })))).toHaveLength(0);
  });

  it.each([
    ['no queryType', { queryType: '' }],
    ['another queryType', { queryType: 'RANGE' }],
    ['no server', { serverId: '' }],
    ['no from', { from: '' }],
    ['no to', { to: '' }],
    ['a date alone', { from: '2026-01-15' }],
    ['a day that is none', { from: '2026-02-31T00:00:00Z' }],
    ['from after to', { from: '2026-01-15T13:00:00.001Z' }],
    ['topics in a comma list', { eventTopics: 'DEVICE_ANALYTICS_START,DEVICE_ANALYTICS_STOP' }],
    ['a limit of 0', { limit: 0 }],
    ['a limit that is no number', { limit: 'all' }],
    ['an unknown parameter', { cameraId: 'x' }],
    ['a token', { token: 'x' }],
  ])('answers 400 to %s', async (_, change: Record<string, string | number>) => {
    await start();
    expect((await client.search(range(change))).status).toBe(400);
    expect(server.stats.queries).toEqual([]);
  });

  it('lets `to` be left out, or minds unknown devices, when told so', async () => {
    await start({ toOptional: true, unknownDevice: 'notFound' });
    server.controls.record([login(0)]);
    expect(events(await client.search({ queryType: 'TIME_RANGE', serverId, from: at(0) }))).toHaveLength(1);
    expect((await client.search(range({ deviceIds: [camera(0).id, 'x'] }))).json).toMatchObject({ statusCode: 404, message: 'camera not found.' });
  });
});

describe('events/search CONTINUE', () => {
  const three = async (options: AvigilonOptions = {}): Promise<string> => {
    await start(options);
    server.controls.record([0, 1, 2].map(login));
    return (await client.search(range({ limit: 2 }))).json.result.token as string;
  };

  it('goes on to the last page, which has no token', async () => {
    const token = await three();
    const answer = await client.search({ queryType: 'CONTINUE', token });
    expect(offsets(events(answer))).toEqual([2]);
    expect(answer.json.result).not.toHaveProperty('token');
  });

  it('gives no token when the limit is just reached', async () => {
    await three();
    expect((await client.search(range({ limit: 3 }))).json.result).not.toHaveProperty('token');
  });

  it('has a limit of 1000 by default', async () => {
    await start();
    server.controls.record(Array.from({ length: 1001 }, () => login(5)));
    const answer = await client.search(range());
    expect(events(answer)).toHaveLength(1000);
    expect(answer.json.result.token).toMatch(/^[A-Za-z0-9+/]+=*$/);
  });

  it.each(['limit', 'serverId', 'from', 'eventTopics'])('refuses %s', async (name) => {
    const token = await three();
    expect((await client.search({ queryType: 'CONTINUE', token, [name]: '2' })).json.message).toBe(`"${name}" is not allowed`);
  });

  it('gives the same page for the same token, to any session', async () => {
    const token = await three();
    await client.login();
    for (let turn = 0; turn < 2; turn += 1) expect(offsets(events(await client.search({ queryType: 'CONTINUE', token })))).toEqual([2]);
  });

  it('can have tokens that are used up', async () => {
    const token = await three({ continuation: { singleUse: true } });
    expect((await client.search({ queryType: 'CONTINUE', token })).status).toBe(200);
    expect((await client.search({ queryType: 'CONTINUE', token })).status).toBe(400);
  });

  it('can bind tokens to the session', async () => {
    const token = await three({ continuation: { boundToSession: true } });
    await client.login();
    expect((await client.search({ queryType: 'CONTINUE', token })).status).toBe(400);
  });

  it('forgets tokens in a restart', async () => {
    const token = await three();
    await server.controls.restart();
    await client.login();
    expect((await client.search({ queryType: 'CONTINUE', token })).status).toBe(400);
  });

  it('misses what is written late before the place it has come to', async () => {
    const token = await three();
    server.controls.record([login(0), login(1)]);
    expect(offsets(events(await client.search({ queryType: 'CONTINUE', token })))).toEqual([1, 2]);
  });

  it('never serves more than its own bound', async () => {
    await three({ maxLimit: 1 });
    expect(events(await client.search(range({ limit: 50 })))).toHaveLength(1);
    expect(await client.searchAll(range())).toMatchObject({ pages: 3, events: { length: 3 } });
  });

  it('gives every event once, whatever the times and limits', async () => {
    await start();
    const log = server.controls.log(serverId);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 })), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 6 }), (times, limit, from) => {
        log.nextId = 0;
        const base = NOON + log.size * 100;
        log.write(times.map((ms) => ({ serverId, type: 'USER_LOGIN', at: base + ms })));
        const seen: string[] = [];
        const query = { from: base + from, to: base + 6, wants: () => true, limit };
        for (let page = log.page(query); ; page = log.page({ ...query, after: page.entries.at(-1) })) {
          for (const { event } of page.entries) seen.push(event.thisId);
          if (!page.more) break;
        }
        const expected = times.flatMap((ms, index) => (ms >= from ? [[ms, index] as const] : []));
        expect(seen).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, index]) => String(index)));
      }),
    );
  });
});

describe('events/search ACTIVE', () => {
  it('gives what has begun and not ended, oldest first, without token', async () => {
    await start();
    const [ended, other] = [crossing(0, 9), crossing(1, 5, 1)];
    server.controls.record([other[0], ended[0], ended[1], login(0)]);
    const answer = await client.search({ queryType: 'ACTIVE', serverId });
    expect(events(answer)).toMatchObject([{ type: 'DEVICE_ANALYTICS_START', linkedEventId: '-1', cameraId: camera(1).id }]);
    expect(Object.keys(answer.json.result as object)).toEqual(['events']);
    server.controls.record([other[1]]);
    expect(events(await client.search({ queryType: 'ACTIVE', serverId }))).toEqual([]);
  });

  it('takes a limit and filters, and no times', async () => {
    await start();
    server.controls.record([crossing(2, 9, 1)[0], crossing(1, 9)[0], crossing(3, 9)[0]]);
    expect(offsets(events(await client.search({ queryType: 'ACTIVE', serverId, limit: 2 })))).toEqual([1, 2]);
    expect(events(await client.search({ queryType: 'ACTIVE', serverId, deviceIds: camera(1).id }))).toHaveLength(1);
    expect((await client.search({ queryType: 'ACTIVE', serverId, from: at(0) })).status).toBe(400);
  });
});

describe('late events', () => {
  it('appear when they are written, with the time at which they happened', async () => {
    await start();
    const now = clock.now();
    server.controls.record([{ ...login(0), at: now - 5_000, writtenAt: now + 8_000 }, { ...login(0), at: now + 1_000 }]);
    const count = async (): Promise<number> => events(await client.search(range({ from: at(0), to: at(9_000_000) }))).length;
    expect(await count()).toBe(0);
    clock.advance(1_000);
    expect(await count()).toBe(1);
    clock.advance(6_999);
    expect(await count()).toBe(1);
    clock.advance(1);
    expect(server.stats.eventsWritten).toBe(2);
    expect(offsets(events(await client.search(range({ to: at(9_000_000) }))))).toEqual([3_595_000, 3_601_000]);
  });

  it('are written as the clock of the server has it', async () => {
    await start();
    server.controls.record([{ ...login(0), at: clock.now() + 60_000 }]);
    server.controls.setClockOffset(60_000);
    expect(server.stats.eventsWritten).toBe(1);
  });
});

describe('the size of a match day', () => {
  it('serves 100,000 events in pages of 1000', async () => {
    await start();
    server.controls.record(Array.from({ length: 100_000 }, (_, index) => login(index % 3_599_999)));
    const { events: all, pages } = await client.searchAll(range());
    expect([all.length, pages]).toEqual([100_000, 100]);
    expect(server.stats.eventsServed).toBe(100_000);
  });
});

it('is the same over TLS with a certificate of its own', async () => {
  await start({ tls: 'self-signed' });
  expect(server.url).toMatch(/^https:/);
  server.controls.record([login(0)]);
  expect(events(await client.search(range()))).toHaveLength(1);
  expect(server.certificate).toMatch(/^-----BEGIN CERTIFICATE/);
  await expect(send(server.apiUrl.replace('https:', 'http:'))).rejects.toThrow();
});
