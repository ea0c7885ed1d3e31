import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CameraEvent } from '../../nodes/kit/camera-event';
import { errors, load, node, statuses, unload, until, useRed, warnings } from './support/red';

useRed();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'event-log-'));
});
afterEach(async () => {
  await unload();
  rmSync(folder, { recursive: true, force: true });
});

const event = (changes: Partial<CameraEvent> = {}): CameraEvent => ({
  id: 'e1',
  source: 'cgi',
  device: { id: 'door' },
  channel: 1,
  code: 'VideoMotion',
  action: 'start',
  time: '2026-03-01T10:00:00.250Z',
  timeSource: 'device',
  receivedAt: '2026-03-01T10:00:01.500Z',
  data: { Id: [0] },
  ...changes,
});

const log = (properties: object = {}) => load([{ id: 'l', type: 'event-log', path: join(folder, '{{device}}.log'), ...properties }]);

/** Sends, and waits until so many lines are there. */
async function send(messages: object[], expected = messages.length): Promise<void> {
  for (const message of messages) node('l').receive(structuredClone(message) as never);
  await until(() => lines().length >= expected);
}

const lines = (name = 'door.log'): string[] => {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
};

describe('text', () => {
  test('writes the form that listeners of this protocol are known by', async () => {
    await log();
    await send([{ payload: event() }]);
    expect(lines()[0]).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d INFO EVENTO!!! VideoMotion \[Start\] ch=1 ts=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d payload=\{.*\}$/,
    );
    const payload = JSON.parse(lines()[0]!.split(' payload=')[1]!) as object;
    expect(payload).toEqual({ Code: 'VideoMotion', action: 'Start', index: 1, data: { Id: [0] } });
  });

  test('shows the input of an alarm where others have their channel', async () => {
    await log();
    await send([{ payload: event({ code: 'AlarmLocal', channel: null, input: 3 }) }]);
    expect(lines()[0]).toContain('AlarmLocal [Start] ch=3 ');
  });

  test('writes connection changes with their level', async () => {
    await log({ level: 'DEBUG' });
    const at = { since: '2026-03-01T10:00:00.000Z', attempt: 1 };
    await send([
      { topic: 'cgi/door/connection', payload: { ...at, state: 'connecting' } },
      { topic: 'cgi/door/connection', payload: { ...at, state: 'disconnected', reason: { code: 'CGI_SILENT', text: 'nothing came' }, retryInMs: 5 } },
    ]);
    expect(lines().map((line) => line.slice(20))).toEqual(['DEBUG door connecting', 'WARNING door disconnected CGI_SILENT nothing came']);
  });

  test('a device that writes line breaks into its names forges no line', async () => {
    await log({ path: join(folder, 'door.log') });
    await send([{ payload: event({ code: 'A\nB', device: { id: '../../../etc/passwd' }, raw: '{\r\n"x"' }) }]);
    expect(lines()).toHaveLength(1);
  });
});

test('ndjson is one event per line', async () => {
  await log({ format: 'ndjson' });
  await send([{ payload: event() }, { payload: event({ id: 'e2' }) }]);
  expect(lines().map((line) => JSON.parse(line) as CameraEvent)).toEqual([event(), event({ id: 'e2' })]);
});

test('a template of the user takes any message', async () => {
  await log({ format: 'template', template: '{{level}} {{payload.camera}} {{msg.delay}}', path: join(folder, 'door.log') });
  await send([{ payload: { camera: 'C1' }, delay: 12, level: 'error' }, { payload: 'text' }]);
  expect(lines()).toEqual(['ERROR C1 12', 'INFO  ']);
});

test('file names from devices stay in their folder', async () => {
  await log();
  node('l').receive({ payload: event({ device: { id: '../../outside' } }) });
  await until(() => readdirSync(folder).length === 1);
  expect(readdirSync(folder)[0]).toMatch(/^_.*outside-[\da-f]{8}\.log$/);
});

test('lines below the level are left out', async () => {
  await log({ level: 'WARNING' });
  await send([{ payload: event(), level: 'INFO' }, { payload: event(), level: 'WARNING' }], 1);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toContain(' WARNING ');
});

test.each([
  [{ payload: 'motion' }, 'msg.payload'],
  [{ payload: { ...event(), time: 'yesterday' } }, 'msg.payload.time'],
  [{ payload: { ...event(), device: {} } }, 'msg.payload.device.id'],
  [{}, 'msg.payload'],
])('%j is refused with what is wrong, and loses nothing else', async (message, where) => {
  await log();
  await send([message, { payload: event() }], 1);
  expect(errors('l')).toHaveLength(1);
  expect(errors('l')[0]).toMatchObject({ code: 'NOT_A_CAMERA_EVENT', message: expect.stringContaining(where) as string });
});

test.each([
  ['path', { path: 'logs/{{device' }],
  ['format', { format: 'xml' }],
  ['template', { format: 'template', template: '' }],
  ['template', { format: 'template', template: '{{a|shout}}' }],
  ['maxMegabytes', { maxMegabytes: '-1' }],
  ['maxFiles', { maxFiles: 'many' }],
  ['level', { level: 'LOUD' }],
])('a bad %s shows red and says so once', async (field, properties) => {
  await log(properties);
  expect(statuses('l')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${field}"}` }]);
  expect(warnings('l')).toHaveLength(1);
});

test('20,000 lines lose none and keep their order over rotations', async () => {
  await log({ format: 'template', template: '{{payload}}', path: join(folder, 'all.log'), maxMegabytes: '0.02', maxFiles: 1000 });
  for (let i = 0; i < 20_000; i++) node('l').receive({ payload: i });
  await until(() => lines('all.log').at(-1) === '19999');
  const files = readdirSync(folder).sort((a, b) => age(b) - age(a));
  const written = files.flatMap((name) => lines(name)).map(Number);
  expect(files.length).toBeGreaterThan(3);
  expect(written).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
});

const age = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0);

test('what waits is written before the node is gone', async () => {
  await log({ format: 'template', template: '{{payload}}', path: join(folder, 'all.log') });
  for (let i = 0; i < 5000; i++) node('l').receive({ payload: i });
  await until(() => existsSync(join(folder, 'all.log')));
  await unload();
  const written = lines('all.log').map(Number);
  expect(written).toEqual(Array.from({ length: written.length }, (_, i) => i));
});

test('a deleted folder is made again', async () => {
  await log();
  await send([{ payload: event() }]);
  rmSync(folder, { recursive: true });
  await until(() => {
    node('l').receive({ payload: event({ id: 'e2' }) });
    return lines().length > 0;
  });
});

test('a file where the folder should be shows red, and writes on when it is gone', async () => {
  writeFileSync(join(folder, 'logs'), '');
  await log({ path: join(folder, 'logs', '{{device}}.log') });
  node('l').receive({ payload: event() });
  await until(() => statuses('l').some(({ fill, text }) => fill === 'red' && text.includes('unwritable')));
  expect(warnings('l').join()).toContain('FILE_UNWRITABLE');
  rmSync(join(folder, 'logs'));
  await until(() => lines('logs/door.log').length === 1);
  await until(() => statuses('l').at(-1)?.fill === 'green');
  expect(warnings('l')).toHaveLength(1);
});

const canMount = (() => {
  const probe = mkdtempSync(join(tmpdir(), 'mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
})();

test.skipIf(!canMount)('a full disk is red, and no line is lost when there is room again (needs mount)', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
  try {
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(56 * 1024));
    await log({ format: 'template', template: '{{payload}}', path: join(folder, 'all.log'), maxMegabytes: 10 });
    for (let i = 0; i < 2000; i++) node('l').receive({ payload: `line ${i}` });
    await until(() => statuses('l').at(-1)?.fill === 'red');
    rmSync(join(folder, 'ballast'));
    await until(() => statuses('l').at(-1)?.fill === 'green' && lines('all.log').at(-1) === 'line 1999');
    const whole = lines('all.log').filter((line) => /^line \d+$/.test(line));
    expect([...new Set(whole)]).toEqual(Array.from({ length: 2000 }, (_, i) => `line ${i}`));
    await unload();
  } finally {
    execFileSync('umount', ['-l', folder]);
  }
});
