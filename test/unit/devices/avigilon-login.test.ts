import { afterEach, describe, expect, it } from 'vitest';
import { startAvigilonServer, type AvigilonServer } from '../../devices/avigilon/avigilon-server';
import type { AvigilonOptions } from '../../devices/avigilon/options';
import { authorizationToken, PlainClient, send } from '../../devices/avigilon/plain-client';
import { ManualClock } from '../support/manual-clock';

const clock = new ManualClock();
const seconds = (): number => Math.floor(clock.now() / 1000);
let server: AvigilonServer;
const start = async (options: AvigilonOptions = {}): Promise<PlainClient> => {
  server = await startAvigilonServer({ clock, ...options });
  return new PlainClient(server.apiUrl, () => clock.now());
};
afterEach(() => server.close());

describe('login (facts A2)', () => {
  it('gives a session in the envelope of the facts, with the client and user names inside', async () => {
    const { json, status } = await (await start()).login();
    expect(status).toBe(200);
    expect(json).toEqual({ status: 'success', result: { session: expect.stringMatching(/^AYEAf[\w-]+$/), externalUserId: '', domainId: '' } });
    expect(Buffer.from(json.result.session as string, 'base64url').toString('latin1')).toContain('test\0nodered');
    expect(server.stats).toMatchObject({ logins: 1, sessionsOpen: 1, refusedLogins: [] });
  });

  it('checks the hash of the worked example', async () => {
    clock.advance(1_000);
    const client = await start({ nonce: 'myusernonce', key: 'secretkey', maxSkewSeconds: 1e9 });
    const token = 'myusernonce:1530726298:080631341ec66abebdd507cdba1c2169527b7d105eafe74479dc5081b57f2b2a';
    expect((await client.login({ authorizationToken: token })).status).toBe(200);
    expect((await client.login({ authorizationToken: token.toUpperCase() })).status).toBe(403);
  });

  it.each([
    ['nonce', (): unknown => authorizationToken(seconds(), 'simnonce01')],
    ['hash', (): unknown => authorizationToken(seconds(), 'SimNonce01', 'other')],
    ['hash', (): unknown => authorizationToken(seconds()).replace(/[0-9a-f]{64}$/, (hash) => hash.toUpperCase())],
    ['skew', (): unknown => authorizationToken(seconds() - 302)],
    ['skew', (): unknown => authorizationToken(seconds() + 302)],
    ['integrationId', (): unknown => authorizationToken(seconds(), 'SimNonce01', 'simulated-key', ':other')],
    ['malformedToken', (): unknown => 'SimNonce01:yesterday:abc'],
    ['malformedToken', (): unknown => authorizationToken(seconds(), 'SimNonce01', 'simulated-key', ':mine:more')],
    ['noToken', (): unknown => undefined],
  ])('answers 403 "Unknown reason" for a wrong %s', async (why, token) => {
    const client = await start({ integrationId: 'mine' });
    const { status, json } = await client.login({ authorizationToken: token() });
    expect(status).toBe(403);
    expect(json).toMatchObject({ status: 'error', statusCode: 403, message: 'Unknown reason', meta: { name: 'FORBIDDEN' } });
    expect(server.stats.refusedLogins).toMatchObject([{ why }]);
    expect(server.stats.sessionsOpen).toBe(0);
  });

  it.each(['', ':', ':mine'])('takes an integration id of %j', async (more) => {
    const client = await start({ integrationId: 'mine' });
    expect((await client.login({ authorizationToken: authorizationToken(seconds(), 'SimNonce01', 'simulated-key', more) })).status).toBe(200);
  });

  it.each([-299, 299])('takes a token that is %i s off', async (off) => {
    const client = await start();
    expect((await client.login({ authorizationToken: authorizationToken(seconds() + off) })).status).toBe(200);
  });

  it('takes an old token again when told how old it may be', async () => {
    const client = await start({ maxTokenAgeSeconds: 3600 });
    expect((await client.login({ authorizationToken: authorizationToken(seconds() - 3500) })).status).toBe(200);
    expect((await client.login({ authorizationToken: authorizationToken(seconds() + 400) })).status).toBe(403);
  });

  it.each([
    [401, 'password', { password: 'wrong' }],
    [401, 'password', { username: 'nobody' }],
    [500, 'clientVersion', { clientVersion: '1.0' }],
    [400, 'badRequest', { clientName: null }],
    [400, 'badRequest', { password: '' }],
    [400, 'badRequest', { accessToken: 'x' }],
  ])('answers %i (%s) to %j', async (status, why, changes) => {
    const client = await start();
    expect((await client.login(changes)).status).toBe(status);
    expect(server.stats.refusedLogins).toMatchObject([{ why }]);
  });

  it('judges the token by its own clock', async () => {
    const client = await start();
    server.controls.setClockOffset(600_000);
    expect((await client.login()).status).toBe(403);
    server.controls.setClockOffset(0);
    expect((await client.login()).status).toBe(200);
  });

  it('knows a new password at once', async () => {
    const client = await start();
    server.controls.setPassword('nodered', 'changed');
    expect((await client.login()).status).toBe(401);
    expect((await client.login({ password: 'changed' })).status).toBe(200);
  });

  it.each([
    ['text/plain', 'an object', 415, '{}'],
    ['application/json', 'half an object', 400, '{'],
    ['application/json', 'a list', 400, '[]'],
    ['application/json', 'a megabyte', 413, `"${'x'.repeat(1_100_000)}"`],
  ])('refuses a body that is %s, of %s, with %i', async (type, _, status, body) => {
    await start();
    expect((await send(`${server.apiUrl}/login`, 'POST', { 'Content-Type': type }, body)).status).toBe(status);
  });
});

describe('sessions (facts A2)', () => {
  const idle = 3_600_000;

  it('end after an hour without use, and not before', async () => {
    const client = await start();
    await client.login();
    for (const wait of [idle, idle]) {
      clock.advance(wait);
      expect((await client.get('/server/ids')).status).toBe(200);
    }
    clock.advance(idle + 1);
    expect((await client.get('/server/ids')).json).toMatchObject({ status: 'error', statusCode: 401, message: 'session expired' });
    expect(server.stats.refusedSessions).toMatchObject([{ route: 'GET /server/ids', why: 'expired' }]);
    expect(server.stats.sessionsOpen).toBe(0);
  });

  it('pile up when nobody logs out', async () => {
    const client = await start();
    for (let turn = 0; turn < 3; turn += 1) await client.login();
    expect(server.stats.sessionsOpen).toBe(3);
    expect((await client.post('/logout', { session: client.session })).status).toBe(200);
    expect((await client.get('/server/ids')).status).toBe(401);
    expect(server.stats).toMatchObject({ sessionsOpen: 2, sessionsPeak: 3, logouts: 1 });
  });

  it('are taken from header or query by 7.12 and newer', async () => {
    const client = await start({ version: '7.12.0.0' });
    await client.login();
    const url = `${server.apiUrl}/server/ids`;
    expect((await send(url, 'GET', { 'X-Avg-Session': client.session })).status).toBe(200);
    expect((await send(`${url}?session=${client.session}`)).status).toBe(200);
    expect((await send(url)).status).toBe(401);
    expect((await send(url, 'GET', { session: client.session })).status).toBe(401);
    expect((await client.get('/server/ids', { session: client.session })).status).toBe(200);
    expect(server.stats.sessionWays).toEqual({ header: 1, query: 1, 'header+query': 1, body: 0 });
  });

  it('must be in the query below 7.12', async () => {
    const client = await start({ version: '7.10.4.2' });
    await client.login();
    expect((await client.get('/server/ids')).status).toBe(400);
    expect(server.stats.refusedSessions).toMatchObject([{ why: 'headerOnly' }]);
    expect((await client.get('/server/ids', { session: client.session })).status).toBe(200);
  });

  it('must be in the body of POST, PUT and DELETE', async () => {
    const client = await start();
    await client.login();
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const headers = { 'Content-Type': 'application/json', 'x-avg-session': client.session };
      expect((await send(`${server.apiUrl}/webhooks`, method, headers, '{"ids":[]}')).status).toBe(400);
    }
    expect((await client.post('/webhooks', { session: client.session, ids: [] }, 'DELETE')).status).toBe(200);
    expect((await send(`${server.apiUrl}/webhooks?session=${client.session}`, 'DELETE', { 'Content-Type': 'application/json' }, '{"ids":[]}')).status).toBe(200);
  });

  it.each([401, 403] as const)('are unknown after a restart: %i', async (unknownSession) => {
    const client = await start({ unknownSession });
    await client.login();
    const { port } = server;
    await server.controls.restart();
    expect(server.port).toBe(port);
    expect((await client.get('/server/ids')).status).toBe(unknownSession);
    expect((await client.login()).status).toBe(200);
    expect((await client.get('/server/ids')).status).toBe(200);
  });

  it('end at once on request', async () => {
    const client = await start();
    await client.login();
    server.controls.expireSessions();
    expect((await client.get('/sites')).json.message).toBe('session expired');
  });
});

describe('other routes (facts A1, A3, A5)', () => {
  it('exist under the base path only', async () => {
    await start();
    expect((await send(`${server.url}/health`)).status).toBe(404);
    expect((await send(`${server.apiUrl}/nothing`)).json).toMatchObject({ status: 'error', statusCode: 404, meta: { code: -25, name: 'NOT_FOUND' } });
    expect((await send(`${server.apiUrl}/health`)).status).toBe(200);
    expect(server.stats.requestsByRoute).toEqual({ other: 2, 'GET /health': 1 });
  });

  it.each([['GOOD', 200], ['WARN', 200], ['BAD', 500]] as const)('say %s with %i', async (health, status) => {
    await start({ version: '7.12.1.0' });
    server.controls.setHealth(health);
    expect(await send(`${server.apiUrl}/health`)).toMatchObject({ status, body: health, headers: { 'content-type': 'text/plain' } });
    expect((await send(`${server.apiUrl}/health?v`)).json).toMatchObject({ service: { status: { state: health }, version: '7.12.1.0' } });
  });

  it('tell capabilities and topics without a session', async () => {
    const client = await start({ version: '7.10.0.0' });
    const { capabilities } = (await client.get('/wep-capabilities')).json.result;
    expect(capabilities).toContain('WEBHOOK_EVENTS');
    expect(capabilities).not.toContain('QUERY_SESSION_OPTIONAL');
    expect((await client.get('/event-subtopics')).json.result).toContain('DEVICE_ANALYTICS_STOP');
  });

  it.each([
    ['servers', (id: string) => ({ status: 'success', result: { servers: [{ id, name: 'ESTADIO-01' }] } })],
    ['list', (id: string) => ({ status: 'success', result: [{ id, name: 'ESTADIO-01' }] })],
    ['serverIdList', (id: string) => ({ status: 'success', result: [{ serverId: id }] })],
    ['bare', (id: string) => [{ serverId: id }]],
  ] as const)('list server ids in the shape %s', async (serverIdsShape, expected) => {
    const client = await start({ serverIdsShape, site: { servers: 1 } });
    await client.login();
    expect((await client.get('/server/ids')).json).toEqual(expected(server.site.servers[0]!.id));
  });

  it('list servers and the site', async () => {
    const client = await start();
    await client.login();
    expect((await client.get('/servers')).json.result.servers).toMatchObject(server.site.servers);
    expect((await client.get('/sites')).json.result.sites).toEqual([{ id: server.site.id, name: server.site.name }]);
  });

  it('list cameras, in several KB each unless asked for less', async () => {
    const client = await start();
    await client.login();
    const [high, medium, low] = await Promise.all([client.get('/cameras'), client.get('/cameras', { verbosity: 'MEDIUM' }), client.get('/cameras', { verbosity: 'LOW' })]);
    expect(low.json.result.cameras).toHaveLength(22);
    expect(low.json.result.cameras[0]).toMatchObject({ name: 'NORTE CARRIL 1', connectionState: 'CONNECTED', serverId: server.site.servers[0]!.id });
    expect(low.json.result.cameras[0]).not.toHaveProperty('capabilities');
    expect(high.body.length).toBeGreaterThan(2 * low.body.length);
    expect(medium.json.result.cameras[0]).not.toHaveProperty('links');
    expect((await client.get('/cameras', { verbosity: 'low' })).status).toBe(400);
  });

  it('find cameras by a condition and by id', async () => {
    const client = await start();
    await client.login();
    const camera = server.site.cameras[3]!;
    camera.connectionState = 'LONG_FAILED';
    const names = async (q: string): Promise<string[]> => {
      const { cameras } = (await client.get('/cameras', { verbosity: 'LOW', q })).json.result as { cameras: { name: string }[] };
      return cameras.map(({ name }) => name);
    };
    expect(await names('(connectionState eq LONG_FAILED)')).toEqual([camera.name]);
    expect(await names('(connected ne false)')).toHaveLength(21);
    expect(await names('(ptzInfo exists)')).toEqual([]);
    expect((await client.get('/camera', { ids: [camera.id, server.site.cameras[0]!.id] })).json.result.cameras).toHaveLength(2);
    expect((await client.get('/camera', { ids: 'none' })).json.message).toBe('camera not found.');
    expect((await client.get('/cameras', { q: 'connected' })).status).toBe(400);
  });

  it('refuse parameters they do not have', async () => {
    const client = await start();
    await client.login();
    expect((await client.get('/cameras', { pageSize: 3 })).json.message).toBe('"pageSize" is not allowed');
  });

  it('keep sessions out of the request log', async () => {
    const client = await start();
    await client.login();
    await client.get('/sites', { session: client.session });
    expect(JSON.stringify(server.stats.requestLog)).not.toContain(client.session);
    expect(server.stats.requestLog).toMatchObject([{ path: '/mt/api/rest/v1/login', status: 200 }, { path: '/mt/api/rest/v1/sites', status: 200 }]);
  });
});
