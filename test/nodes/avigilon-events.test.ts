import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeAPI } from 'node-red';
import helper from 'node-red-node-test-helper';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import avigilonEvents from '../../nodes/avigilon/avigilon-events';
import avigilonServer from '../../nodes/avigilon/avigilon-server';
import { asCameraEvent, type CameraEvent } from '../../nodes/kit/camera-event';
import type { ConnectionState } from '../../nodes/kit/connection';
import { startAvigilonServer, type AvigilonServer } from '../devices/avigilon/avigilon-server';
import { crossings } from '../devices/avigilon/crossings';
import type { EventDraft } from '../devices/avigilon/event-log';
import type { AvigilonOptions } from '../devices/avigilon/options';
import { seededRandom } from '../devices/seeded-random';
import { dateAnswers } from '../unit/avigilon/support/server-time';
import { collect, errors, node, settle, statuses, unhandledRejections, unload, until, useRed, warnings, type Received } from './support/red';

useRed();

let red: NodeAPI | undefined;
/** The texts with their values, which the helper's own RED leaves out; and the app of routes for nodes, which it does not serve. */
const speaking = (initialise: (RED: NodeAPI) => void) => (RED: NodeAPI) => {
  red = RED;
  const translate = (key: string, values?: object) => (values && Object.keys(values).length > 0 ? `${key} ${JSON.stringify(values)}` : key);
  initialise(Object.create(RED, { _: { value: translate } }) as NodeAPI);
};
const nodes = [avigilonServer, avigilonEvents].map(speaking);

let folder: string;
let endings: (() => unknown)[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'avigilon-events-'));
  endings = [() => rmSync(folder, { recursive: true, force: true })];
  settings({});
});
afterEach(async () => {
  await unload();
  for (const end of endings.reverse()) await end();
  vi.unstubAllEnvs();
  expect(unhandledRejections()).toEqual([]);
});
const settings = (more: object): unknown => helper.settings({ userDir: folder, httpNodeRoot: '/', ...more });

async function endpoint(options: AvigilonOptions = {}): Promise<AvigilonServer> {
  const server = await startAvigilonServer(options);
  const undated = dateAnswers(server);
  endings.push(async () => {
    await server.close();
    undated();
  });
  return server;
}

/** Where requests for nodes are taken, as Node-RED takes them on its own server. */
async function httpNode(): Promise<string> {
  const app = (): ((...args: unknown[]) => void) => red!.httpNode as never;
  const listener = createServer((request, response) => app()(request, response));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  endings.push(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
}

const CREDENTIALS = { user: 'nodered', password: 'simulated-1', nonce: 'SimNonce01', key: 'simulated-key' };

const flow = (server: { url?: string; properties?: object }, source: object = {}) => [
  { id: 's', type: 'avigilon-server', url: server.url ?? '', ...server.properties },
  { id: 'n', type: 'avigilon-events', server: 's', interval: '1', wires: [['out'], ['con']], ...source },
  { id: 'out', type: 'helper' },
  { id: 'con', type: 'helper' },
];
const load = (...[server, source]: Parameters<typeof flow>): Promise<void> => helper.load(nodes, flow(server, source), { s: CREDENTIALS });

const events = (received: readonly Received[]): CameraEvent[] => received.map(({ payload }) => payload as CameraEvent);
const states = (received: readonly Received[]): string[] => received.map(({ payload }) => (payload as ConnectionState).state);
const connected = (): Promise<void> => until(() => statuses('n').some(({ text }) => text.startsWith('status.connected')));

let numbered = 0;
function stopEvent(server: AvigilonServer, at = server.now(), more: Partial<EventDraft> = {}): EventDraft {
  const camera = server.site.cameras[0]!;
  return { serverId: camera.serverId, type: 'DEVICE_ANALYTICS_STOP', at, ...more, fields: { cameraId: camera.id, analyticEventName: `PUERTA ${numbered++}`, ...more.fields } };
}

test('sends one CameraEvent per event, and its connection on output 2', async () => {
  const server = await endpoint();
  await load(server);
  const [out, con] = [collect('out'), collect('con')];
  await connected();
  server.controls.record([stopEvent(server), stopEvent(server, server.now(), { type: 'DEVICE_ANALYTICS_START' })]);
  await until(() => out.length === 1);
  const camera = server.site.cameras[0]!;
  expect(out[0]!.topic).toBe(`avigilon/${camera.id}/DEVICE_ANALYTICS_STOP`);
  expect(asCameraEvent(out[0]!.payload)).toMatchObject({ source: 'avigilon', device: { id: camera.id, name: camera.name }, action: 'stop', timeSource: 'device' });
  await until(() => states(con).includes('connected'));
  expect(states(con)).toEqual(['connecting', 'connected']);
  await settle(1500);
  expect(out).toHaveLength(1);
});

test('several nodes share one session, and the last thing they do is log out', async () => {
  const server = await endpoint();
  await helper.load(
    nodes,
    [
      { id: 's', type: 'avigilon-server', url: server.url },
      ...['a', 'b', 'c'].map((id) => ({ id, type: 'avigilon-events', server: 's', interval: '1', wires: [[], []] })),
    ] as never,
    { s: CREDENTIALS },
  );
  await until(() => server.stats.queries.length >= 12);
  await unload();
  expect(server.stats).toMatchObject({ logins: 1, logouts: 1, sessionsPeak: 1, sessionsOpen: 0 });
});

test('a server that nobody uses is left alone', async () => {
  const server = await endpoint();
  await helper.load(nodes, [{ id: 's', type: 'avigilon-server', url: server.url }] as never, { s: CREDENTIALS });
  await settle();
  expect(server.stats.connectionsOpened).toBe(0);
});

test('a redeploy goes on where it was: nothing that happened meanwhile is lost', async () => {
  const server = await endpoint();
  const { events: drafts, truth } = crossings({ site: server.site, count: 60, from: server.now(), to: server.now() + 6000, random: seededRandom(1), hostile: 0.3 });
  const seen = new Set<string>();
  await load(server);
  await connected();
  server.controls.record(drafts);
  for (let deploy = 0; deploy < 3; deploy++) {
    const out = collect('out');
    await settle(1500);
    await unload();
    for (const { id } of events(out)) seen.add(id);
    await settle(500);
    await load(server);
  }
  const out = collect('out');
  await until(() => {
    for (const { id } of events(out)) seen.add(id);
    return seen.size >= truth.stops;
  });
  expect(seen.size).toBe(truth.stops);
});

describe('as input', () => {
  test('start, with the name and times that event-schedule gives, and stop', async () => {
    const server = await endpoint();
    await load(server, { autostart: false });
    const [out, con] = [collect('out'), collect('con')] as [(Received & { event?: object })[], Received[]];
    expect(statuses('n').at(-1)).toMatchObject({ fill: 'grey' });
    await settle();
    expect(server.stats.requests).toBe(0);
    const from = server.now() - 600_000;
    server.controls.record([stopEvent(server, from - 1), stopEvent(server, from + 1)]);
    node('n').receive({ payload: { action: 'start', eventName: 'Final', from: new Date(from).toISOString(), to: new Date(from + 3_600_000).toISOString() } });
    await until(() => out.length === 1);
    expect(out[0]!.event).toEqual({ name: 'Final', start: new Date(from).toISOString(), end: new Date(from + 3_600_000).toISOString() });
    server.controls.record([stopEvent(server)]);
    await settle(20);
    node('n').receive({ payload: { action: 'stop' } });
    await until(() => states(con).at(-1) === 'stopped');
    expect(out).toHaveLength(2);
    const asked = server.stats.requests;
    await settle(1200);
    expect(server.stats.requests).toBe(asked);
  });

  test('query gives history, marked as such, and is done when all was sent', async () => {
    const server = await endpoint({ maxLimit: 3 });
    const from = server.now() - 86_400_000;
    server.controls.record(Array.from({ length: 10 }, (_, index) => stopEvent(server, from + index * 3_600_000)));
    await load(server, { autostart: false });
    const out = collect('out') as (Received & { history?: boolean })[];
    node('n').receive({ payload: { action: 'query', from, to: server.now() } });
    await until(() => out.length === 10);
    expect(out.every(({ history }) => history)).toBe(true);
    expect(states(collect('con'))).toEqual([]);
  });

  test.each<[string, object]>([
    ['what it does not know', { action: 'dance' }],
    ['a query without from', { action: 'query' }],
    ['a time without zone', { action: 'start', from: '2026-01-20 16:00' }],
  ])('%s fails the message', async (_, payload) => {
    const server = await endpoint();
    await load(server, { autostart: false });
    node('n').receive({ payload });
    await until(() => errors('n').length === 1);
    expect(errors('n')[0]).toMatchObject({ code: 'BAD_MESSAGE' });
  });

  test('a query that the server refuses fails its message with the reason', async () => {
    const server = await endpoint();
    server.controls.fault({ kind: 'status', status: 503, route: 'GET /events/search' });
    await load(server, { autostart: false });
    node('n').receive({ payload: { action: 'query', from: server.now() - 1000 } });
    await until(() => errors('n').length === 1);
    expect(errors('n')[0]).toMatchObject({ code: 'AVIGILON_UNAVAILABLE' });
  });
});

describe('configuration', () => {
  test.each<[string, object, object, string, string]>([
    ['no address', { url: '' }, {}, 'url', 'CONFIG_INVALID'],
    ['an address that is none', { url: 'ftp://x' }, {}, 'url', 'CONFIG_INVALID'],
    ['an unknown transport', { properties: { transport: 'pigeon' } }, {}, 'transport', 'CONFIG_INVALID'],
    ['a CA file that is not there', { properties: { tlsCaFile: '/nonexistent/ca.pem' } }, {}, 'tlsCaFile', 'TLS_CA_UNREADABLE'],
    ['no server', {}, { server: '' }, 'server', 'CONFIG_NODE_MISSING'],
    ['topics that would change the request', {}, { topics: 'A&b=c' }, 'topics', 'CONFIG_INVALID'],
    ['an interval of 0', {}, { interval: '0' }, 'interval', 'CONFIG_INVALID'],
    ['an overlap of letters', {}, { overlap: 'some' }, 'overlap', 'CONFIG_INVALID'],
    ['chosen cameras, of which there is none', {}, { cameras: 'ids', cameraIds: '' }, 'cameraIds', 'CONFIG_INVALID'],
    ['a webhook without its address', {}, { mode: 'webhook' }, 'webhookUrl', 'CONFIG_INVALID'],
  ])('%s: red status and one log line that name the field', async (_, server, source, field, code) => {
    await load({ url: '127.0.0.1:1', ...server }, source);
    expect(statuses('n')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${field}"}` }]);
    const lines = warnings('s', 'n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(code);
    expect(lines[0]).toContain(field);
  });

  test.each(['user', 'password', 'nonce', 'key'])('without %s the server is not asked', async (missing) => {
    const server = await endpoint();
    await helper.load(nodes, flow(server), { s: { ...CREDENTIALS, [missing]: '' } });
    expect(warnings('s', 'n').join()).toMatch(new RegExp(`CREDENTIALS_MISSING: ${missing}`));
    await settle();
    expect(server.stats.connectionsOpened).toBe(0);
  });

  test('what is not stored comes from the variables that are named for it', async () => {
    for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(`ACC_${name.toUpperCase()}`, value);
    const server = await endpoint();
    const variables = { userEnv: 'ACC_USER', passwordEnv: 'ACC_PASSWORD', nonceEnv: 'ACC_NONCE', keyEnv: 'ACC_KEY' };
    await helper.load(nodes, flow({ url: server.url, properties: variables }));
    await connected();
  });

  test('no topics are the default topic, not all of them', async () => {
    const server = await endpoint();
    await load(server, { topics: '' });
    await until(() => server.stats.queries.length > 0);
    expect(server.stats.queries[0]!.topics).toEqual(['DEVICE_ANALYTICS_STOP']);
  });

  test('the cameras of a file beside the flow; without the file nothing is read', async () => {
    const server = await endpoint();
    const [, second] = server.site.cameras;
    await load(server, { cameras: 'file' });
    await until(() => statuses('n').some(({ text }) => text.includes('reason.FILE_UNREADABLE')));
    expect(server.stats.queries).toEqual([]);
    writeFileSync(join(folder, 'ids_camaras_permitidas.json'), JSON.stringify([second!.id]));
    await until(() => server.stats.queries.length > 0);
    expect(server.stats.queries[0]!.deviceIds).toEqual([second!.id]);
  });
});

describe('a login that is refused', () => {
  test.each<[string, object, (server: AvigilonServer) => void, string]>([
    ['for the password', { password: 'wrong' }, () => undefined, 'AVIGILON_PASSWORD'],
    ['for the key', { key: 'wrong' }, () => undefined, 'AVIGILON_NONCE_OR_KEY'],
    ['for the clock', {}, (server) => server.controls.setClockOffset(3_600_000), 'AVIGILON_CLOCK_SKEW'],
  ])('%s says so in the status, and once in the log, without a secret', async (_, wrong, prepare, code) => {
    const server = await endpoint();
    prepare(server);
    await helper.load(nodes, flow(server), { s: { ...CREDENTIALS, ...wrong } });
    await until(() => statuses('n').some(({ text }) => text.includes(`reason.${code}`)));
    const lines = warnings('s', 'n');
    expect(lines.filter((line) => line.startsWith(code))).toHaveLength(1);
    for (const secret of ['simulated-1', 'SimNonce01', 'simulated-key']) expect(lines.join()).not.toContain(secret);
  });

  test('for the certificate', async () => {
    const server = await endpoint({ tls: 'self-signed' });
    await load(server);
    await until(() => statuses('n').some(({ text }) => text.includes('reason.TLS_FAILED')));
  });

  test('a CA file, or the choice not to check, lets it through', async () => {
    const server = await endpoint({ tls: 'self-signed' });
    await load({ url: server.url, properties: { tlsVerify: false } });
    await connected();
  });
});

describe('webhook', () => {
  const webhooks = (server: AvigilonServer): { url: string }[] =>
    (server as unknown as { endpoint: { parts: { registry: { all: { url: string; foreign: boolean }[] } } } }).endpoint.parts.registry.all.filter(({ foreign }) => !foreign);

  test('takes pushed events on a route of its own, and leaves neither route nor webhook behind', async () => {
    const server = await endpoint();
    const base = await httpNode();
    await load(server, { mode: 'webhook', webhookUrl: base, interval: '3600' });
    const out = collect('out');
    await until(() => webhooks(server).length === 1);
    expect(webhooks(server)[0]!.url).toBe(`${base}/camera-events/avigilon/n`);
    server.controls.record([stopEvent(server), stopEvent(server)]);
    await until(() => out.length === 2);
    expect(server.stats.pushesFailed).toBe(0);
    await unload();
    expect(webhooks(server)).toEqual([]);
    expect(server.stats.sessionsOpen).toBe(0);
    const answer = await fetch(`${base}/camera-events/avigilon/n`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(404);
  });

  test('is taken off the server by stop, and is there again after start', async () => {
    const server = await endpoint();
    await load(server, { mode: 'webhook', webhookUrl: await httpNode() });
    await until(() => webhooks(server).length === 1);
    await connected();
    node('n').receive({ payload: { action: 'stop' } });
    await until(() => webhooks(server).length === 0);
    node('n').receive({ payload: { action: 'start' } });
    await until(() => webhooks(server).length === 1);
  });

  test('where Node-RED serves nothing for nodes, that is said', async () => {
    settings({ httpNodeRoot: false });
    const server = await endpoint();
    await load(server, { mode: 'webhook', webhookUrl: 'http://192.0.2.1:1880' });
    expect(statuses('n')).toMatchObject([{ fill: 'red', text: 'status.config {"field":"mode"}' }]);
    expect(warnings('s', 'n').join()).toMatch(/httpNodeRoot/);
  });
});

describe('the dialog', () => {
  const typed = (server: AvigilonServer, more: object = {}): object => ({ url: server.url, ...CREDENTIALS, ...more });
  const ask = (form: object) => (helper.request() as unknown as { post(path: string): { send(body: object): Promise<{ status: number; body: Record<string, unknown> }> } }).post('/camera-events/avigilon-server/test').send(form);

  test('tests the login and shows the version', async () => {
    const server = await endpoint();
    await load(server, { autostart: false });
    const { status, body } = await ask(typed(server));
    expect(status).toBe(200);
    expect(body).toEqual({ version: '7.14.2.8', accVersion: '7.14.2.8', health: 'GOOD', clockAheadSeconds: 0, servers: server.site.servers.map(({ id, name }) => ({ id, name })) });
    expect(server.stats).toMatchObject({ logins: 1, logouts: 1, sessionsOpen: 0 });
  });

  test.each<[string, object, string, string]>([
    ['password', { password: 'nope' }, 'AVIGILON_PASSWORD', 'password'],
    ['nonce', { nonce: 'nope' }, 'AVIGILON_NONCE_OR_KEY', 'nonce'],
    ['address', { url: 'http://127.0.0.1:1' }, 'HOST_UNREACHABLE', 'url'],
    ['nothing typed', { user: '' }, 'CREDENTIALS_MISSING', 'user'],
  ])('says that the %s is wrong', async (_, wrong, code, field) => {
    const server = await endpoint();
    await load(server, { autostart: false });
    const { status, body } = await ask(typed(server, wrong));
    expect(status).toBe(422);
    expect(body).toMatchObject({ code, field });
  });

  test('uses what is stored where nothing new was typed', async () => {
    const server = await endpoint();
    await load(server, { autostart: false });
    const { status } = await ask({ id: 's', url: server.url, user: 'nodered', nonce: 'SimNonce01', password: '__PWRD__', key: '__PWRD__' });
    expect(status).toBe(200);
  });

  test('lists cameras of a deployed server, in its session', async () => {
    const server = await endpoint();
    await load(server, { autostart: false });
    const get = (id: string) => (helper.request() as unknown as { get(path: string): Promise<{ status: number; body: { cameras?: object[]; code?: string } }> }).get(`/camera-events/avigilon-server/${id}/cameras`);
    const { body } = await get('s');
    expect(body.cameras).toHaveLength(server.site.cameras.length);
    expect(body.cameras![0]).toMatchObject({ id: server.site.cameras[0]!.id, name: server.site.cameras[0]!.name, connected: true });
    await get('s');
    expect(server.stats.logins).toBe(1);
    expect(await get('unknown')).toMatchObject({ status: 404, body: { code: 'CONFIG_NODE_MISSING' } });
  });
});

test('the store is in the user directory', async () => {
  const server = await endpoint();
  await load(server);
  await connected();
  await unload();
  expect(existsSync(join(folder, 'camera-events', 'state.sqlite'))).toBe(true);
});
