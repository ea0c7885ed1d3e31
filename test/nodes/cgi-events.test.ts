import { afterEach, describe, expect, test, vi } from 'vitest';
import { asCameraEvent, type CameraEvent } from '../../nodes/kit/camera-event';
import type { ConnectionState } from '../../nodes/kit/connection';
import { startDahuaDevice, type DahuaDevice } from '../devices/dahua/dahua-device';
import type { DahuaDeviceOptions } from '../devices/dahua/options';
import { seededRandom } from '../devices/seeded-random';
import { collect, errors, load, node, settle, statuses, unhandledRejections, unload, until, useRed, warnings, type Received } from './support/red';

useRed();

let device: DahuaDevice | undefined;
afterEach(async () => {
  await device?.close();
  device = undefined;
  vi.unstubAllEnvs();
});

async function camera(options: DahuaDeviceOptions = {}): Promise<DahuaDevice> {
  device = await startDahuaDevice({ heartbeatUnitMs: 20, ...options });
  return device;
}

const login = { d: { user: 'admin', password: 'admin123' } };

const deviceNode = (properties: object = {}) => ({ id: 'd', type: 'cgi-device', heartbeat: '1', backoffBase: '1.1', backoffMax: '1', ...properties });

/** A device node, a source on it, and what its two outputs receive. */
const flow = (properties: object = {}, source: object = {}) => [
  deviceNode(properties),
  { id: 'n', type: 'cgi-events', device: 'd', codes: 'All', wires: [['out'], ['con']], ...source },
  { id: 'out', type: 'helper' },
  { id: 'con', type: 'helper' },
];

const at = (camera: DahuaDevice) => ({ host: `127.0.0.1:${camera.port}` });
const events = (received: readonly Received[]) => received.map(({ payload }) => payload as CameraEvent);
const states = (received: readonly Received[]) => received.map(({ payload }) => (payload as ConnectionState).state);

async function connected(camera: DahuaDevice): Promise<void> {
  await camera.stats.until((stats) => stats.streamsOpen > 0);
}

test('sends one CameraEvent per event, and its connection on output 2', async () => {
  const dahua = await camera();
  await load(flow({ ...at(dahua), name: 'Puerta 4', serial: 'S1' }), login);
  const [out, con] = [collect('out'), collect('con')];
  await connected(dahua);
  dahua.emit({ code: 'VideoMotion', action: 'Start', index: 2, data: { Id: [0] } });
  await until(() => out.length === 1);
  expect(out[0]!.topic).toBe('cgi/Puerta 4/VideoMotion');
  expect(asCameraEvent(out[0]!.payload)).toMatchObject({
    source: 'cgi',
    device: { id: 'Puerta 4', name: 'Puerta 4', serial: 'S1', address: `127.0.0.1:${dahua.port}` },
    channel: 2,
    code: 'VideoMotion',
    action: 'start',
    timeSource: 'received',
    data: { Id: [0] },
  });
  await until(() => states(con).includes('connected'));
  expect(states(con)).toEqual(['connecting', 'connected']);
});

test('an alarm carries its input, not a channel', async () => {
  const dahua = await camera();
  await load(flow(at(dahua)), login);
  const out = collect('out');
  await connected(dahua);
  dahua.emit({ code: 'AlarmLocal', action: 'Start', index: 3 });
  await until(() => out.length === 1);
  expect(events(out)[0]).toMatchObject({ code: 'AlarmLocal', channel: null, input: 3 });
});

test('each node filters its own codes and channels from the one stream', async () => {
  const dahua = await camera();
  await load(
    [
      deviceNode(at(dahua)),
      { id: 'all', type: 'cgi-events', device: 'd', codes: 'All', exclude: 'VideoMotionInfo', wires: [['h1']] },
      { id: 'motion', type: 'cgi-events', device: 'd', codes: 'videomotion', wires: [['h2']] },
      { id: 'one', type: 'cgi-events', device: 'd', codes: 'All', channels: '1, 7', wires: [['h3']] },
      { id: 'h1', type: 'helper' },
      { id: 'h2', type: 'helper' },
      { id: 'h3', type: 'helper' },
    ],
    login,
  );
  const received = ['h1', 'h2', 'h3'].map(collect);
  await connected(dahua);
  for (const [code, index] of [['VideoMotion', 0], ['VideoMotionInfo', 0], ['AlarmLocal', 1], ['VideoMotion', 1], ['CrossLineDetection', 7]] as const) {
    dahua.emit({ code, action: 'Start', index });
  }
  await until(() => events(received[0]!).some(({ code }) => code === 'CrossLineDetection'));
  const codes = received.map((each) => events(each).map(({ code, channel }) => `${code}/${channel}`));
  expect(codes).toEqual([
    ['VideoMotion/0', 'AlarmLocal/null', 'VideoMotion/1', 'CrossLineDetection/7'],
    ['VideoMotion/0', 'VideoMotion/1'],
    ['VideoMotion/1', 'CrossLineDetection/7'],
  ]);
  expect(dahua.stats.streamsOpened).toBe(1);
});

test('five nodes share a stream; one that is closed leaves four served; the last closes the socket', async () => {
  const dahua = await camera();
  const ids = ['a', 'b', 'c', 'e', 'f'];
  await load(
    [
      deviceNode(at(dahua)),
      ...ids.map((id) => ({ id, type: 'cgi-events', device: 'd', codes: 'All', wires: [[`h${id}`]] })),
      ...ids.map((id) => ({ id: `h${id}`, type: 'helper' })),
    ],
    login,
  );
  const received = ids.map((id) => collect(`h${id}`));
  await connected(dahua);
  dahua.emit({ code: 'VideoMotion', action: 'Start', index: 0 });
  await until(() => received.every(({ length }) => length === 1));
  await node('a').close(false);
  dahua.emit({ code: 'VideoMotion', action: 'Stop', index: 0 });
  await until(() => received.slice(1).every(({ length }) => length === 2));
  expect(received[0]).toHaveLength(1);
  expect(dahua.stats).toMatchObject({ streamsOpened: 1, streamsOpen: 1 });
  await Promise.all(ids.slice(1).map((id) => node(id).close(false)));
  await dahua.stats.until((stats) => stats.connectionsOpen === 0);
});

test('stop, start and retry as input; anything else fails the message', async () => {
  const dahua = await camera();
  await load(flow(at(dahua)), login);
  const con = collect('con');
  await connected(dahua);
  node('n').receive({ payload: { action: 'stop' } });
  await dahua.stats.until((stats) => stats.streamsOpen === 0);
  expect(states(con).at(-1)).toBe('stopped');
  node('n').receive({ payload: { action: 'start' } });
  await connected(dahua);
  node('n').receive({ payload: { action: 'dance' } });
  await until(() => errors('n').length === 1);
  expect(errors('n')[0]).toMatchObject({ code: 'BAD_MESSAGE' });
});

describe('configuration', () => {
  test.each<[string, object, object, string, string]>([
    ['no host', { host: '' }, {}, 'host', 'CONFIG_INVALID'],
    ['host with a path', { host: '10.0.0.1/cgi-bin' }, {}, 'host', 'CONFIG_INVALID'],
    ['heartbeat 0', { heartbeat: 0 }, {}, 'heartbeat', 'CONFIG_INVALID'],
    ['heartbeat 999', { heartbeat: '999' }, {}, 'heartbeat', 'CONFIG_INVALID'],
    ['heartbeat of letters', { heartbeat: 'often' }, {}, 'heartbeat', 'CONFIG_INVALID'],
    ['back-off base 1', { backoffBase: '1' }, {}, 'backoffBase', 'CONFIG_INVALID'],
    ['unknown charset', { charset: 'klingon' }, {}, 'charset', 'CONFIG_INVALID'],
    ['neither yes nor no', { https: 'perhaps' }, {}, 'https', 'CONFIG_INVALID'],
    ['an environment variable that is not set', { host: '${CAMERA_THAT_IS_NOT}' }, {}, 'host', 'CONFIG_ENV_UNSET'],
    ['CA file that is not there', { https: true, tlsCaFile: '/nonexistent/ca.pem' }, {}, 'tlsCaFile', 'TLS_CA_UNREADABLE'],
    ['CA file without a certificate', { https: true, tlsCaFile: __filename }, {}, 'tlsCaFile', 'TLS_CA_UNREADABLE'],
    ['empty codes', {}, { codes: ' , ' }, 'codes', 'CONFIG_INVALID'],
    ['codes that would change the request', {}, { codes: 'A]&b=[c' }, 'codes', 'CONFIG_INVALID'],
    ['channels of letters', {}, { channels: 'front' }, 'channels', 'CONFIG_INVALID'],
    ['no device', {}, { device: '' }, 'device', 'CONFIG_NODE_MISSING'],
    ['a device that is gone', {}, { device: 'gone' }, 'device', 'CONFIG_NODE_MISSING'],
  ])('%s: red status and one log line that name the field', async (_, properties, source, field, code) => {
    await load(flow({ host: '127.0.0.1:1', ...properties }, source), login);
    expect(statuses('n')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${field}"}` }]);
    const lines = warnings('d', 'n');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(code);
    expect(lines[0]).toContain(field);
    node('n').receive({ payload: { action: 'retry' } });
    await until(() => errors('n').length === 1);
    expect(errors('n')[0]).toMatchObject({ code });
  });

  test.each([{}, { user: 'admin' }, { password: 'x' }])('without a whole login (%j) the device is not asked', async (given) => {
    const dahua = await camera();
    await load(flow(at(dahua)), { d: given });
    expect(warnings('d', 'n').join()).toContain('CREDENTIALS_MISSING');
    await settle();
    expect(dahua.stats.connectionsOpened).toBe(0);
  });

  test('the login comes from the named variables where none is stored', async () => {
    vi.stubEnv('CAM_USER', 'admin');
    vi.stubEnv('CAM_PASS', 'admin123');
    const dahua = await camera();
    await load(flow({ ...at(dahua), userEnv: 'CAM_USER', passwordEnv: 'CAM_PASS' }));
    await connected(dahua);
  });

  test('${NAME:-default} takes the variable, or the default where it is unset or empty', async () => {
    const dahua = await camera();
    vi.stubEnv('TEST_CAM', `127.0.0.1:${dahua.port}`);
    vi.stubEnv('TEST_CODES', '');
    await load(flow({ host: '${TEST_CAM:-10.0.0.1}', https: '${TEST_HTTPS:-false}' }, { codes: '${TEST_CODES:-AlarmLocal}' }), login);
    await connected(dahua);
    expect(dahua.stats.requestLog.at(-1)?.target).toContain('codes=[AlarmLocal]');
  });

  test.each([
    ['unknown host', 'no-such-camera.invalid', 'HOST_UNKNOWN'],
    ['wrong port', '127.0.0.1:1', 'HOST_UNREACHABLE'],
  ])('%s: red status with the reason, one log line', async (_, host, code) => {
    await load(flow({ host }), login);
    const con = collect('con');
    await until(() => states(con).filter((state) => state === 'disconnected').length >= 2);
    expect(statuses('n').at(-1)).toMatchObject({ fill: 'red' });
    expect(warnings('d', 'n').filter((line) => line.includes(code))).toHaveLength(1);
  });
});

describe('lockout', () => {
  test('a wrong password costs three refused logins over any number of redeploys; the right one is let in at once', async () => {
    const dahua = await camera();
    const wrong = { d: { user: 'admin', password: 'wrong' } };
    await load(flow(at(dahua)), wrong);
    await until(() => dahua.stats.badLogins.length === 1);
    for (let deploy = 0; deploy < 4; deploy++) {
      await unload();
      await load(flow(at(dahua)), wrong);
      const con = collect('con');
      await until(() => states(con).some((state) => state === 'disconnected' || state === 'blocked'));
    }
    const con = collect('con');
    await until(() => states(con).includes('blocked') || dahua.stats.badLogins.length >= 3);
    await settle();
    expect(dahua.stats.badLogins).toHaveLength(3);
    await unload();
    await load(flow(at(dahua)), login);
    await connected(dahua);
    expect(dahua.stats.badLogins).toHaveLength(3);
  });
});

test('100,000 malformed parts end nothing, reject nothing and keep memory flat', { timeout: 120_000 }, async () => {
  const dahua = await camera({ maxQueuedBytes: 1e9 });
  await load(flow(at(dahua)), login);
  let received = 0;
  node('out').on('input', () => received++);
  await connected(dahua);
  const random = seededRandom(20261120);
  const heap: number[] = [];
  for (let round = 0; round < 50; round++) {
    const parts = Array.from({ length: 2000 }, () => malformed(random));
    dahua.emitRaw(Buffer.concat(parts));
    dahua.emitRaw(Buffer.from('\r\n--myboundary\r\nContent-Length:39\r\n\r\nCode=RoundEnds;action=Pulse;index=99999'.replace('99999', String(round).padStart(5, '0')).replace('39', '41')));
    const before = received;
    await until(() => received > before);
    await settle(5);
    if (dahua.stats.streamsOpen === 0) await connected(dahua);
    heap.push(process.memoryUsage().heapUsed);
  }
  expect(unhandledRejections()).toEqual([]);
  const early = Math.max(...heap.slice(5, 20));
  const late = Math.min(...heap.slice(-20));
  expect(late).toBeLessThan(early * 1.5);
  const before = received;
  dahua.emit({ code: 'VideoMotion', action: 'Start', index: 0 });
  await until(() => received > before);
});

/** A part that is wrong in one of many ways. */
function malformed(random: () => number): Buffer {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const noise = (length: number) => Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  const body = pick([
    'Code=VideoMotion;action=Start;index=0;data={"a":',
    'Code=;action=;index=',
    'Code=X',
    'Code=Y;action=Start;index=9999999999999999999999',
    `Code=Z;action=Pulse;index=0;data=${'['.repeat(Math.floor(random() * 500))}`,
    'Code=Q;action=Stop;index=0;data={"__proto__":{"polluted":true},"constructor":1}',
    'Code=T;action=Start;index=0;data={"UTC":1e308,"UTCMS":"x","LocaleTime":"9999-99-99 99:99:99","RealUTC":-1}',
    'Code=D;action=Start;index=0;data=null',
    '\0\0\0\0',
    'Heartbeat',
  ]);
  const head = pick(['--myboundary\r\n', '-- myboundary\n', '--myboundary--\r\n', '--my', '']);
  const length = pick(['Content-Length: 99999999\r\n', 'Content-Length: -5\r\n', 'Content-Length:\r\n', `Content-Length: ${body.length}\r\n`, 'Content-Type: image/jpeg\r\nContent-Length: 12\r\n', '']);
  return Buffer.concat([Buffer.from(`${head}${length}\r\n`), random() < 0.2 ? noise(Math.floor(random() * 60)) : Buffer.from(body), Buffer.from(pick(['\r\n', '\n\n', '']))]);
}
