import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startAvigilonServer, type AvigilonServer } from '../../devices/avigilon/avigilon-server';
import { analyticPair, userLogin } from '../../devices/avigilon/event-drafts';
import type { AvigilonOptions } from '../../devices/avigilon/options';
import { PlainClient, type PlainAnswer } from '../../devices/avigilon/plain-client';
import { seededRandom } from '../../devices/seeded-random';
import { selfSignedPair } from '../../devices/self-signed';
import { ManualClock } from '../support/manual-clock';

const TOKEN = Buffer.alloc(16, 7).toString('base64');
const random = seededRandom(1);
let clock: ManualClock;
let server: AvigilonServer;
let client: PlainClient;
const targets: Target[] = [];

/** What a webhook may point at. */
class Target {
  readonly received: { headers: IncomingHttpHeaders; raw: string; message: any; port: number }[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any -- whatever came
  status = 200;
  silent = false;
  url = '';
  private readonly server: Server;

  constructor(private readonly protocol: 'http' | 'https' = 'http') {
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const raw = Buffer.concat(chunks).toString();
        this.received.push({ headers: request.headers, raw, message: JSON.parse(raw), port: request.socket.remotePort! });
        if (!this.silent) response.writeHead(this.status).end();
      });
    };
    this.server = protocol === 'https' ? createTlsServer(selfSignedPair(), listener) : createServer(listener);
  }

  async open(): Promise<this> {
    targets.push(this);
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.url = `${this.protocol}://127.0.0.1:${(this.server.address() as AddressInfo).port}/hook`;
    return this;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const start = async (options: AvigilonOptions = {}): Promise<void> => {
  clock = new ManualClock();
  server = await startAvigilonServer({ clock, ...options });
  client = new PlainClient(server.apiUrl, () => clock.now());
  await client.login();
};
afterEach(async () => {
  await server.close();
  for (const target of targets.splice(0)) target.close();
});

type Json = Record<string, unknown>;
const create = (webhook: Json): Promise<PlainAnswer> => client.post('/webhooks', { session: client.session, webhook });
const hook = (url: string, more: Json = {}): Json => ({ url, authenticationToken: TOKEN, eventTopics: { whitelist: ['ALL'] }, ...more });
const register = async (target: Target, more: Json = {}): Promise<string> => (await create(hook(target.url, more))).json.result.id as string;
const list = async (ids: string[] = []): Promise<Json[]> => (await client.get('/webhooks', { ids })).json.result.webhooks as Json[];
const login = (): ReturnType<typeof userLogin> => userLogin(server.site.servers[0]!.id, clock.now(), random);
const delivered = (count: number): Promise<void> => server.stats.until((stats) => stats.pushesDelivered >= count);

describe('/webhooks (facts A6)', () => {
  it('creates, lists, changes and deletes', async () => {
    await start({ foreignWebhooks: 0 });
    const id = (await create(hook('http://127.0.0.1:9/', { heartbeat: { enable: true } }))).json.result.id as string;
    const [mine] = await list();
    expect(mine).toMatchObject({ id, url: 'http://127.0.0.1:9/', heartbeat: { enable: true, frequencyMs: 3_600_000 } });
    const change = { id, heartbeat: { enable: false }, eventTopics: { blacklist: ['DEVICE'] } };
    expect((await client.post('/webhooks', { session: client.session, webhook: change }, 'PUT')).status).toBe(200);
    expect(await list([id])).toMatchObject([{ url: 'http://127.0.0.1:9/', heartbeat: { enable: false }, eventTopics: { blacklist: expect.arrayContaining(['DEVICE_ANALYTICS_STOP']) } }]);
    for (let turn = 0; turn < 2; turn += 1) expect((await client.post('/webhooks', { session: client.session, ids: [id] }, 'DELETE')).status).toBe(200);
    expect(await list()).toEqual([]);
    expect((await client.post('/webhooks', { session: client.session, webhook: change }, 'PUT')).status).toBe(404);
  });

  it('lists single topics for groups', async () => {
    await start({ foreignWebhooks: 0 });
    await create(hook('http://127.0.0.1:9/', { eventTopics: { whitelist: ['USER', 'DEVICE_MOTION_START'] } }));
    expect(await list()).toMatchObject([{ eventTopics: { whitelist: ['USER_LOGIN', 'USER_LOGIN_FAILURE', 'DEVICE_MOTION_START'] } }]);
  });

  it('has webhooks of other integrations', async () => {
    await start();
    expect(await list()).toHaveLength(2);
    server.controls.record([login()]);
    server.controls.hello();
    expect(server.stats.pushes).toEqual([]);
  });

  it.each([
    ['no url', { url: undefined }],
    ['another protocol', { url: 'ftp://127.0.0.1/' }],
    ['no token', { authenticationToken: undefined }],
    ['a short token', { authenticationToken: Buffer.alloc(15).toString('base64') }],
    ['a token that is not base64', { authenticationToken: 'not base64, but long enough' }],
    ['no topics', { eventTopics: undefined }],
    ['an unknown topic', { eventTopics: { whitelist: ['ANALYTICS'] } }],
    ['the words of another version', { eventTopics: { include: ['ALL'] } }],
    ['a fast heartbeat', { heartbeat: { enable: true, frequencyMs: 29_999 } }],
    ['an unknown setting', { name: 'x' }],
  ])('answers 400 to %s', async (_, change) => {
    await start();
    expect((await create(hook('http://127.0.0.1:9/', change))).status).toBe(400);
    expect(await list()).toHaveLength(2);
  });

  it('can want include and exclude', async () => {
    await start({ webhookFilter: 'include' });
    expect((await create(hook('http://127.0.0.1:9/'))).status).toBe(400);
    expect((await create(hook('http://127.0.0.1:9/', { eventTopics: { include: ['ALL'], exclude: ['DB'] } }))).status).toBe(200);
  });

  it('takes 16 ids at most', async () => {
    await start();
    const ids = Array.from({ length: 17 }, (_, index) => `id${index}`);
    expect((await client.get('/webhooks', { ids })).status).toBe(400);
    expect((await client.post('/webhooks', { session: client.session, ids }, 'DELETE')).status).toBe(400);
    expect((await client.get('/webhooks', { ids: ids.slice(1) })).json.result.webhooks).toEqual([]);
  });

  it('keeps webhooks over a restart, then says HELLO', async () => {
    await start();
    const target = await new Target().open();
    const id = await register(target);
    await server.controls.restart();
    await delivered(1);
    expect(target.received.map(({ message }) => message.type as string)).toEqual(['HELLO']);
    await client.login();
    expect(await list([id])).toHaveLength(1);
  });
});

describe('messages', () => {
  it('to an HTTP target are text, signed, without the token', async () => {
    await start();
    const target = await new Target().open();
    await register(target);
    server.controls.record([login()]);
    await delivered(1);
    const [{ headers, raw, message }] = target.received as [Target['received'][number]];
    expect(headers['content-type']).toBe('plain/text');
    expect(headers.authorization).toBe(createHmac('sha256', Buffer.from(TOKEN, 'base64')).update(raw).digest('base64'));
    expect(raw).not.toContain(TOKEN);
    expect(message).toMatchObject({ type: 'NOTIFICATION', siteId: server.site.id, time: new Date(clock.now()).toISOString() });
  });

  it('to an HTTPS target are JSON with the token inside', async () => {
    await start();
    const target = await new Target('https').open();
    await register(target);
    server.controls.record([login()]);
    await delivered(1);
    const [{ headers, message }] = target.received as [Target['received'][number]];
    expect(headers).toMatchObject({ 'content-type': 'application/json' });
    expect(headers).not.toHaveProperty('authorization');
    expect(message.authenticationToken).toBe(TOKEN);
  });

  it.each(['notifications', 'notification'] as const)('have several events in %s, on a connection each', async (notificationsKey) => {
    await start({ notificationsKey, notificationsPerMessage: 3 });
    const target = await new Target().open();
    await register(target);
    server.controls.record(Array.from({ length: 7 }, login));
    await delivered(3);
    const sizes = target.received.map(({ message }) => (message[notificationsKey] as unknown[]).length);
    expect(sizes.sort()).toEqual([1, 3, 3]);
    const [one] = target.received[0]!.message[notificationsKey] as { type: string; event: Json }[];
    expect(one).toMatchObject({ type: 'EVENT', siteId: server.site.id, id: expect.any(String), event: { originatingServerName: 'ESTADIO-01' } });
    expect(new Set(target.received.map(({ port }) => port)).size).toBe(3);
    expect(server.stats.eventsPushed).toBe(7);
  });

  it('have only topics that were asked for', async () => {
    await start();
    const [some, others] = [await new Target().open(), await new Target().open()];
    await register(some, { eventTopics: { whitelist: ['DEVICE_ANALYTICS_START'] } });
    await register(others, { eventTopics: { blacklist: ['DEVICE'] } });
    const camera = server.site.cameras[0]!;
    const [began, ended] = analyticPair(camera, camera.rules[0]!, { start: clock.now(), stop: clock.now() }, random);
    server.controls.record([began]);
    server.controls.record([ended, login()]);
    await delivered(2);
    const types = (target: Target): string[] =>
      target.received.flatMap(({ message }) => (message.notifications as { event: Json }[]).map(({ event }) => String(event.type)));
    expect(types(some)).toEqual(['DEVICE_ANALYTICS_START']);
    expect(types(others)).toEqual([expect.stringMatching(/^USER_LOGIN/)]);
    expect(some.received[0]!.message.notifications[0].event.linkedEventId).toBe('-1');
  });

  it('come late for events that are written late', async () => {
    await start();
    const target = await new Target().open();
    await register(target);
    server.controls.record([{ ...login(), writtenAt: clock.now() + 5_000 }]);
    expect(server.stats.pushes).toEqual([]);
    clock.advance(5_000);
    await delivered(1);
  });

  it('include a HELLO for a new webhook if told so, and whenever told', async () => {
    await start({ helloOnRegister: true });
    const target = await new Target().open();
    await register(target);
    await delivered(1);
    server.controls.hello();
    await delivered(2);
    expect(target.received.map(({ message }) => message as Json)).toMatchObject([{ type: 'HELLO' }, { type: 'HELLO' }]);
  });
});

describe('heartbeats', () => {
  const types = (target: Target): string[] => target.received.map(({ message }) => message.type as string);

  it('come after the time without another message that was taken', async () => {
    await start();
    const target = await new Target().open();
    await register(target, { heartbeat: { enable: true, frequencyMs: 30_000 } });
    clock.advance(29_999);
    server.controls.record([login()]);
    await delivered(1);
    clock.advance(29_999);
    expect(server.stats.pushes).toHaveLength(1);
    clock.advance(1);
    await delivered(2);
    clock.advance(30_000);
    await delivered(3);
    expect(types(target)).toEqual(['NOTIFICATION', 'HEARTBEAT', 'HEARTBEAT']);
  });

  it('end when switched off or deleted', async () => {
    await start();
    const target = await new Target().open();
    const id = await register(target, { heartbeat: { enable: true, frequencyMs: 30_000 } });
    await client.post('/webhooks', { session: client.session, webhook: { id, heartbeat: { enable: false } } }, 'PUT');
    const other = await register(target, { heartbeat: { enable: true, frequencyMs: 30_000 } });
    await client.post('/webhooks', { session: client.session, ids: [other] }, 'DELETE');
    clock.advance(120_000);
    expect(server.stats.pushes).toEqual([]);
    expect(clock.waiting).toBe(0);
  });
});

describe('targets that fail', () => {
  it('hold up the others when they are silent: 5 in flight', async () => {
    await start({ pushTimeoutMs: 10_000 });
    const [dead, live] = [await new Target().open(), await new Target().open()];
    dead.silent = true;
    await register(dead);
    await register(live);
    for (let turn = 0; turn < 5; turn += 1) server.controls.beat();
    await delivered(4);
    expect(server.stats.pushesInFlightPeak).toBe(5);
    await server.stats.until(({ pushesInFlight }) => pushesInFlight === 5);
    server.controls.record([login()]);
    expect(server.stats.pushesDelivered).toBe(4);
    clock.advance(10_000);
    await delivered(6);
    expect(live.received.at(-1)?.message.type).toBe('NOTIFICATION');
    expect(server.stats.pushesFailed).toBe(5);
  });

  it('do not get the message again', async () => {
    await start();
    const target = await new Target().open();
    await register(target);
    target.status = 500;
    server.controls.record([login()]);
    await server.stats.until(({ pushesFailed }) => pushesFailed === 1);
    target.status = 204;
    server.controls.record([login()]);
    await delivered(1);
    expect(server.stats.pushes).toMatchObject([{ status: 500 }, { status: 204 }]);
    expect(server.stats.eventsPushed).toBe(1);
  });

  it('lose what happens while the server is down', async () => {
    await start();
    const target = await new Target().open();
    await register(target);
    await server.controls.powerOff();
    server.controls.record([login()]);
    await server.controls.powerOn();
    server.controls.record([login()]);
    await delivered(1);
    expect(target.received).toHaveLength(1);
    expect(server.stats.eventsWritten).toBe(2);
  });
});
