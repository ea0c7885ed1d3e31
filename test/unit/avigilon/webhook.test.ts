import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { allCameras, chosenCameras, type CameraList } from '../../../nodes/avigilon/camera-list';
import { signature } from '../../../nodes/avigilon/webhook-message';
import { WebhookRegistration } from '../../../nodes/avigilon/webhook-registration';
import { webhookAddress, webhookHandler } from '../../../nodes/avigilon/webhook-route';
import { WebhookSource } from '../../../nodes/avigilon/webhook-source';
import type { CodedError } from '../../../nodes/kit/errors';
import type { AvigilonOptions } from '../../devices/avigilon/options';
import { selfSignedPair } from '../../devices/self-signed';
import { atTheEnd, MemoryStore, MINUTE, namesOf, Reading, SECOND, settle, simulated, stopEvent, until, type Rig } from './support/rig';

const PATH = '/camera-events/avigilon/n1';
const never = new AbortController().signal;

interface Given {
  rig: Rig;
  reading: Reading;
  source: WebhookSource;
  store: MemoryStore;
  url: string;
  port: number;
  notices: CodedError[];
  filtered: () => number;
}

interface GivenSettings extends AvigilonOptions {
  scheme?: 'http' | 'https';
  cameras?: CameraList;
  store?: MemoryStore;
  serverIds?: readonly string[];
}

/** A server, a poller, and the webhook on an HTTP server of this test. */
async function given({ scheme = 'http', cameras = allCameras, store = new MemoryStore(), serverIds = [], ...options }: GivenSettings = {}): Promise<Given> {
  const rig = await simulated(options);
  const notices: CodedError[] = [];
  let filtered = 0;
  const handler = webhookHandler((body, authorization): number => source.receive(body, authorization));
  const listener = scheme === 'http' ? createServer((...args) => void handler(...args)) : createTlsServer(selfSignedPair('Node-RED'), (...args) => void handler(...args));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const { url } = webhookAddress(`${scheme}://127.0.0.1:${port}`, PATH);
  const reading = new Reading(rig, { store, cameras, serverIds, intervalMs: MINUTE });
  const source: WebhookSource = new WebhookSource({
    registration: new WebhookRegistration({ client: reading.client, store, key: 'node/webhook', url, topics: ['DEVICE_ANALYTICS_STOP'], heartbeatMs: MINUTE }),
    scheme,
    heartbeatMs: MINUTE,
    cameras,
    serverIds,
    now: () => reading.client.now,
    push: (event) => reading.poller.push(event),
    missed: () => reading.poller.wake(),
    backoff: { base: 1.5, max: 60 },
    clock: rig.clock,
    random: () => 0,
    report: { down: (error) => notices.push(error), up: () => undefined, notice: (error) => notices.push(error), filtered: () => filtered++ },
  });
  atTheEnd(async () => {
    await source.stop(AbortSignal.timeout(1000));
    listener.close();
    listener.closeAllConnections();
  });
  return { rig, reading, source, store, url, port, notices, filtered: () => filtered };
}

async function registered(settings: GivenSettings = {}): Promise<Given> {
  const all = await given(settings);
  await all.reading.start();
  all.source.start();
  await until(() => webhooks(all.rig).length === 1 && all.store.durable.has('node/webhook'));
  return all;
}

interface Registered {
  id: string;
  url: string;
  authenticationToken: string;
  foreign: boolean;
}
const registry = ({ server }: Rig): Registered[] => (server as unknown as { endpoint: { parts: { registry: { all: Registered[] } } } }).endpoint.parts.registry.all;
/** Those of the server that are not another integration's. */
const webhooks = (rig: Rig): Registered[] => registry(rig).filter(({ foreign }) => !foreign);

function post(port: number, body: Buffer | string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path: PATH, method: 'POST', headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end(body);
  });
}

describe.each(['http', 'https'] as const)('a webhook at an %s address', (scheme) => {
  test('hands on what the server pushes, at once, and searches find nothing new in it', async () => {
    const { rig, reading } = await registered({ scheme });
    rig.clock.advance(2 * SECOND);
    const events = Array.from({ length: 25 }, (_, index) => stopEvent(rig, rig.clock.now() - 25 + index));
    rig.server.controls.record(events);
    await until(() => reading.events.length === 25);
    expect(rig.server.stats.pushesFailed).toBe(0);
    await reading.pass(3 * MINUTE);
    expect(namesOf(reading.events).sort()).toEqual(events.map(({ fields }) => fields!.analyticEventName).sort());
  });
});

test('filters by topic on the server, by camera here', async () => {
  const rig = await simulated();
  const wanted = rig.server.site.cameras[2]!;
  const all = await registered({ cameras: chosenCameras([wanted.id]) });
  const at = all.rig.clock.now() + 1;
  all.rig.clock.advance(SECOND);
  all.rig.server.controls.record([
    stopEvent(all.rig, at),
    stopEvent(all.rig, at, { serverId: wanted.serverId, fields: { cameraId: wanted.id } }),
    stopEvent(all.rig, at, { type: 'DEVICE_MOTION_STOP' }),
  ]);
  await until(() => all.reading.events.length === 1 && all.filtered() === 1);
  expect(all.reading.events[0]!.device.id).toBe(wanted.id);
});

test('pushes outside the span are left out', async () => {
  const { rig, reading } = await registered();
  const now = rig.clock.now();
  reading.poller.start({ from: now - SECOND, until: now + SECOND });
  rig.clock.advance(2 * SECOND);
  rig.server.controls.record([stopEvent(rig, now - 2 * SECOND), stopEvent(rig, now), stopEvent(rig, now + SECOND)]);
  await until(() => rig.server.stats.pushesDelivered > 0);
  await settle();
  expect(reading.events.map(({ time }) => Date.parse(time))).toEqual([now]);
});

test('HELLO searches from where reading was: what was not pushed is found', async () => {
  const { rig, reading } = await registered();
  await reading.pass(2 * MINUTE);
  const { clock, server } = rig;
  await server.controls.powerOff();
  server.controls.record([stopEvent(rig, clock.now() + SECOND), stopEvent(rig, clock.now() + 2 * SECOND)]);
  clock.advance(5 * SECOND);
  server.controls.settle();
  await server.controls.powerOn();
  await settle();
  expect(reading.events).toEqual([]);
  server.controls.hello();
  await until(() => reading.events.length === 2);
});

test('more than can be handed on at once is left to the searches: nothing is lost, nothing comes twice', async () => {
  const { rig, reading, source, notices } = await registered();
  const { clock, server } = rig;
  // While the server is off it pushes nothing itself.
  await server.controls.powerOff();
  clock.advance(SECOND);
  const { serverId } = stopEvent(rig, 0);
  server.controls.record(Array.from({ length: 12_000 }, (_, index) => stopEvent(rig, clock.now() - 500 + (index % 400))));
  await server.controls.powerOn();
  const { entries } = server.controls.log(serverId).page({ from: 0, to: Infinity, wants: () => true, limit: Infinity });
  const notifications = entries.map(({ event }, index) => ({ type: 'EVENT', id: String(index), event }));
  const body = Buffer.from(JSON.stringify({ siteId: 's', type: 'NOTIFICATION', time: new Date(clock.now()).toISOString(), notifications }));
  expect(source.receive(body, signature(body, webhooks(rig)[0]!.authenticationToken))).toBe(200);
  expect(reading.events).toEqual([]);
  // Without waiting for the next lap.
  await until(() => reading.events.length === 12_000);
  await reading.pass(3 * MINUTE);
  expect(reading.ids).toHaveLength(12_000);
  expect(new Set(reading.ids).size).toBe(12_000);
  expect(notices.map(({ code }) => code)).toEqual(['AVIGILON_WEBHOOK_OVERFLOW']);
});

describe('only our own webhook', () => {
  test('is registered, once, and taken off; others are left alone', async () => {
    const { rig, source, store, url } = await registered();
    expect(webhooks(rig)).toMatchObject([{ url, id: store.durable.get('node/webhook') }]);
    await source.stop(never);
    expect(webhooks(rig)).toEqual([]);
    expect(registry(rig).filter(({ foreign }) => foreign)).toHaveLength(2);
  });

  test('left behind by a process that was killed is used again', async () => {
    const { rig, reading, store, url } = await registered();
    const [left] = webhooks(rig);
    const again = new WebhookRegistration({ client: reading.client, store, key: 'node/webhook', url, topics: ['DEVICE_ANALYTICS_STOP'], heartbeatMs: MINUTE });
    await again.ensure(Buffer.alloc(32, 1).toString('base64'), never);
    expect(webhooks(rig)).toMatchObject([{ id: left!.id }]);
  });

  test('is known by its address where its id was lost, and by its id where its address changed', async () => {
    const { rig, reading, store, url } = await registered();
    const [left] = webhooks(rig);
    const token = Buffer.alloc(32, 1).toString('base64');
    const make = (at: string, kept: MemoryStore): WebhookRegistration => new WebhookRegistration({ client: reading.client, store: kept, key: 'node/webhook', url: at, topics: ['DEVICE_ANALYTICS_STOP'], heartbeatMs: MINUTE });
    await make(url, new MemoryStore()).ensure(token, never);
    expect(webhooks(rig).map(({ id }) => id)).toEqual([left!.id]);
    await make('http://192.0.2.7:1880/other', store).ensure(token, never);
    expect(webhooks(rig)).toMatchObject([{ id: left!.id, url: 'http://192.0.2.7:1880/other' }]);
  });

  test('that is there twice is there once afterwards', async () => {
    const { rig, reading, store, url } = await registered();
    await reading.client.send('POST', '/webhooks', { webhook: { url, heartbeat: { enable: false }, authenticationToken: Buffer.alloc(32).toString('base64'), eventTopics: { whitelist: ['ALL'] } } }, never);
    expect(webhooks(rig)).toHaveLength(2);
    await new WebhookRegistration({ client: reading.client, store, key: 'node/webhook', url, topics: ['ALL'], heartbeatMs: MINUTE }).ensure(Buffer.alloc(32, 1).toString('base64'), never);
    expect(webhooks(rig)).toMatchObject([{ id: store.durable.get('node/webhook') }]);
  });

  test('that somebody deleted on the server is registered again when it falls silent', async () => {
    const { rig, reading, store } = await registered();
    await reading.client.send('DELETE', '/webhooks', { ids: [store.durable.get('node/webhook')] }, never);
    expect(webhooks(rig)).toEqual([]);
    for (let minute = 0; minute < 8; minute++) {
      await reading.pass(MINUTE);
      await settle();
    }
    expect(webhooks(rig)).toHaveLength(1);
  });

  test('stopped and started in one go is there', async () => {
    const { rig, source } = await registered();
    rig.server.controls.fault({ kind: 'slow', ms: SECOND, route: 'DELETE /webhooks' });
    void source.stop(never);
    source.start();
    await until(() => rig.server.stats.faults.length === 1);
    await settle();
    rig.clock.advance(SECOND);
    await until(() => rig.server.stats.requestsByRoute['POST /webhooks'] === 2);
    await settle();
    expect(webhooks(rig)).toHaveLength(1);
  });
});

test('the other words of the filter are tried where the first are refused (facts A9.8)', async () => {
  const { rig } = await registered({ webhookFilter: 'include' });
  expect(rig.server.stats.requestsByRoute['POST /webhooks']).toBe(2);
});

test('a refusal that is not about the words is told as the server said it', async () => {
  const { reading, store } = await given();
  const bad = new WebhookRegistration({ client: reading.client, store, key: 'k', url: 'http://192.0.2.1/', topics: ['NO_SUCH_TOPIC'], heartbeatMs: MINUTE });
  await expect(bad.ensure(Buffer.alloc(32).toString('base64'), never)).rejects.toThrow(/whitelist.*not allowed/);
});

test('is registered as soon as the server is back', async () => {
  const { rig, reading, source, notices } = await given();
  await rig.server.controls.powerOff();
  await reading.start();
  source.start();
  await until(() => notices.length === 1);
  await rig.server.controls.powerOn();
  rig.clock.advance(MINUTE);
  await until(() => webhooks(rig).length === 1);
});

describe('silence', () => {
  test('is told of, and is over with the next heartbeat', async () => {
    const { rig, reading, source, notices } = await registered();
    expect(source.isAlive).toBe(false);
    rig.server.controls.beat();
    await until(() => source.isAlive);
    await rig.server.controls.powerOff();
    await reading.pass(4 * MINUTE);
    expect(source.isAlive).toBe(false);
    await until(() => notices.some(({ code }) => code === 'AVIGILON_WEBHOOK_SILENT' || code === 'HOST_UNREACHABLE'));
    await rig.server.controls.powerOn();
    rig.server.controls.beat();
    await until(() => source.isAlive);
  });
});

describe('what others send to the address', () => {
  test('is refused where it is forged, and brings no event', async () => {
    const { rig, reading, port, notices } = await registered();
    const message = { siteId: 's', type: 'NOTIFICATION', time: new Date(rig.clock.now()).toISOString(), notifications: [{ type: 'EVENT', id: 'x', event: { thisId: '1', timestamp: new Date(rig.clock.now()).toISOString() } }] };
    const body = JSON.stringify({ ...message, authenticationToken: 'guess' });
    expect(await post(port, body)).toBe(401);
    expect(await post(port, body, { authorization: signature(Buffer.from(body), Buffer.from('guess').toString('base64')) })).toBe(401);
    expect(await post(port, 'rubbish', { authorization: '' })).toBe(401);
    await settle();
    expect(reading.events).toEqual([]);
    expect(new Set(notices.map(({ code }) => code))).toEqual(new Set(['AVIGILON_WEBHOOK_FORGED']));
  });

  test('is cut off where it is too long', async () => {
    const { port } = await registered();
    const status = await post(port, Buffer.alloc(3 * 1024 * 1024)).catch(() => 413);
    expect(status).toBe(413);
  });

  test('finds nobody before it is started and after it is stopped', async () => {
    const { port } = await given();
    expect(await post(port, '{}')).toBe(503);
    const { source, port: second } = await registered();
    await source.stop(never);
    expect(await post(second, '{}')).toBe(503);
  });
});

test.each(['', 'node-red', 'ftp://192.0.2.1', 'http://192.0.2.1/?a=b'])('%j is no address for a webhook', (base) => {
  expect(() => webhookAddress(base, PATH)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', field: 'webhookUrl' }));
});

test.each([
  ['http://192.0.2.1:1880', 'http://192.0.2.1:1880/camera-events/avigilon/n1', 'http'],
  ['https://proxy.example/red/', 'https://proxy.example/red/camera-events/avigilon/n1', 'https'],
])('%s', (base, url, scheme) => {
  expect(webhookAddress(base, PATH)).toEqual({ url, scheme });
});
