import { createRequire } from 'node:module';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CameraEvent } from '../../nodes/kit/camera-event';
import type { Clock } from '../../nodes/kit/clock';
import type { Reason } from '../../nodes/kit/errors';
import { ManualClock } from '../unit/support/manual-clock';
import { collect, errors, load, logged, node, settle, statuses, unhandledRejections, unload, until, useRed, warnings, type Received } from './support/red';

/** 2026-01-20 15:00 in Bogota. */
const START = Date.UTC(2026, 0, 20, 20);
const MINUTE = 60_000;

let clock: ManualClock;
vi.mock('../../nodes/kit/clock', async (original) => {
  const systemClock: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (ms, run) => clock.after(ms, run),
  };
  return { ...(await original<object>()), systemClock };
});

let diskAnswers = true;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return { ...real, stat: (...args: Parameters<typeof real.stat>) => (diskAnswers ? real.stat(...args) : new Promise(() => undefined)) };
});

useRed();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'event-schedule-'));
  clock = new ManualClock(START);
  diskAnswers = true;
});
afterEach(async () => {
  await unload();
  rmSync(folder, { recursive: true, force: true });
  expect(unhandledRejections()).toEqual([]);
});

const event = (nombre: string, hora_inicio: string, hora_fin: string): object => ({ nombre, hora_inicio, hora_fin });
const TODAY = { '2026-01-20': event('Final', '16:00', '18:00') };
const writeFile = (content: unknown): void =>
  writeFileSync(join(folder, 'events.json'), typeof content === 'string' ? content : JSON.stringify(content));

interface Message extends Received {
  event?: object;
  reason?: Reason;
}

async function start(properties: object = {}): Promise<{ during: Message[]; other: Message[] }> {
  const schedule = { id: 's', type: 'event-schedule', path: join(folder, 'events.json'), wires: [['during'], ['other']], ...properties };
  await load([schedule, { id: 'during', type: 'helper' }, { id: 'other', type: 'helper' }]);
  return { during: collect('during'), other: collect('other') };
}

/** With the file read. */
async function ready(file: object = TODAY, properties: object = {}): ReturnType<typeof start> {
  writeFile(file);
  const outputs = await start(properties);
  await until(() => statuses('s').length > 0);
  return outputs;
}

const status = (): object | undefined => statuses('s').at(-1);
const send = (message: object): void => node('s').receive(structuredClone(message) as never);
const time = (hourOfDay: string): string => `2026-01-20T${hourOfDay}Z`;

const cameraEvent = (at: string, changes: Partial<CameraEvent> = {}): CameraEvent => ({
  id: at,
  source: 'avigilon',
  device: { id: 'door' },
  channel: null,
  code: 'DEVICE_ANALYTICS_STOP',
  action: 'stop',
  time: at,
  timeSource: 'device',
  receivedAt: at,
  data: {},
  ...changes,
});

/** Lets time pass until so many messages are at an output. */
async function later(ms: number, output: unknown[], count: number): Promise<void> {
  clock.advance(ms);
  await until(() => output.length >= count);
}

describe('start and stop', () => {
  test('are sent at their time, with what drives a source', async () => {
    const { during, other } = await ready();
    clock.advance(60 * MINUTE - 1);
    await later(1, other, 1);
    await later(120 * MINUTE, other, 2);
    const [from, to] = [time('21:00:00.000'), time('23:00:00.000')];
    expect(other).toMatchObject([
      { topic: 'schedule', payload: { action: 'start', eventName: 'Final', from, to } },
      { topic: 'schedule', payload: { action: 'stop', eventName: 'Final' } },
    ]);
    expect(other.some((message) => 'reason' in message)).toBe(false);
    expect(during).toEqual([]);
  });

  test('a start is sent after a restart in mid-event, with the event\'s own beginning', async () => {
    clock = new ManualClock(START + 90 * MINUTE);
    const { other } = await ready();
    await until(() => other.length === 1);
    expect(other[0]?.payload).toEqual({ action: 'start', eventName: 'Final', from: time('21:00:00.000'), to: time('23:00:00.000') });
  });

  test('include the minutes before and after', async () => {
    const { during, other } = await ready(TODAY, { lead: '10', tail: 5 });
    await later(50 * MINUTE, other, 1);
    expect(other[0]?.payload).toMatchObject({ from: time('20:50:00.000'), to: time('23:05:00.000') });
    send({ payload: 1 });
    await until(() => during.length === 1);
    expect(during[0]?.event).toEqual({ name: 'Final', start: time('21:00:00.000'), end: time('23:00:00.000') });
  });

  test('follow a change of the file', async () => {
    const { other } = await ready();
    writeFile({ '2026-01-20': event('Earlier', '14:00', '18:00') });
    clock.advance(1000);
    await until(() => other.length === 1);
    expect(other[0]?.payload).toMatchObject({ action: 'start', eventName: 'Earlier', from: time('19:00:00.000') });
  });

  test('end with the node: nothing is sent and no timer is left after it was stopped', async () => {
    await ready();
    await unload();
    expect(clock.waiting).toBe(0);
  });
});

describe('messages', () => {
  test('pass during an event with its name and times, whatever they are', async () => {
    clock = new ManualClock(START + 90 * MINUTE);
    const { during } = await ready();
    for (const payload of ['text', 7, null, cameraEvent(time('22:00:00.000'))]) send({ payload, topic: 'mine' });
    await until(() => during.length === 4);
    for (const message of during) {
      expect(message).toMatchObject({ topic: 'mine', event: { name: 'Final', start: time('21:00:00.000'), end: time('23:00:00.000') } });
    }
    expect(during[0]?.payload).toBe('text');
    expect(during[0]?.reason).toBeUndefined();
  });

  test('go to output 2 with the reason while none runs', async () => {
    const { during, other } = await ready();
    send({ payload: 'text', topic: 'mine' });
    await until(() => other.length === 1);
    expect(other[0]).toMatchObject({
      topic: 'mine',
      payload: 'text',
      reason: { code: 'NO_EVENT_RUNNING', text: expect.stringContaining(time('20:00:00.000')) as string },
    });
    expect(during).toEqual([]);
  });

  test('with a camera event belong to the event during which it happened, also when they come late', async () => {
    clock = new ManualClock(START + 4 * 60 * MINUTE);
    const { during, other } = await ready();
    send({ payload: cameraEvent(time('22:59:59.999')) });
    send({ payload: cameraEvent(time('23:00:00.000')) });
    await until(() => during.length + other.length === 2);
    expect(during.map(({ payload }) => (payload as CameraEvent).time)).toEqual([time('22:59:59.999')]);
    expect(other[0]?.reason?.code).toBe('NO_EVENT_RUNNING');
  });

  test('belong to the event that runs when they arrive, if so chosen', async () => {
    clock = new ManualClock(START + 90 * MINUTE);
    const { during } = await ready(TODAY, { by: 'now' });
    send({ payload: cameraEvent(time('10:00:00.000')) });
    await until(() => during.length === 1);
    expect(during[0]?.event).toMatchObject({ name: 'Final' });
  });

  test('wait for the file when they come before it is read, in their order', async () => {
    clock = new ManualClock(START + 90 * MINUTE);
    writeFile(TODAY);
    const { during } = await start();
    for (const payload of [1, 2, 3]) send({ payload });
    await until(() => during.length === 3);
    expect(during.map(({ payload }) => payload)).toEqual([1, 2, 3]);
  });

  test('wait for five seconds at most when the disk does not answer', async () => {
    diskAnswers = false;
    const { other } = await start();
    send({ payload: 'text' });
    await settle();
    clock.advance(4999);
    await settle();
    expect(other).toEqual([]);
    await later(1, other, 1);
    expect(other[0]?.reason).toMatchObject({ code: 'FILE_UNREADABLE', text: expect.stringContaining('could not be read yet') as string });
  });

  test('of a vendor whose event action is called reload are messages', async () => {
    const { other } = await ready();
    send({ payload: cameraEvent(time('10:00:00.000'), { action: 'reload' }) });
    await until(() => other.length === 1);
  });
});

describe('the file', () => {
  test('kept as it was last good when it breaks, said once, and once that it is well', async () => {
    clock = new ManualClock(START + 90 * MINUTE);
    const { during } = await ready();
    writeFile('{"2026-01-20": {"nombre": "Final"}}');
    send({ payload: { action: 'reload' } });
    await until(() => errors('s').length === 1);
    send({ payload: { action: 'reload' } });
    await until(() => errors('s').length === 2);
    expect(errors('s')[0]).toMatchObject({ code: 'FILE_INVALID', message: expect.stringContaining('2026-01-20: hora_inicio') as string });
    expect(warnings('s')).toEqual([expect.stringMatching(/^FILE_INVALID: .*; the schedule read before stays in force$/)]);
    expect(status()).toMatchObject({ fill: 'yellow', shape: 'dot' });
    send({ payload: 'text' });
    await until(() => during.length === 1);

    writeFile(TODAY);
    send({ payload: { action: 'reload' } });
    await until(() => logged('s').length === 1);
    expect(status()).toMatchObject({ fill: 'green', shape: 'dot' });
    expect(warnings('s')).toHaveLength(1);
  });

  test('missing at first: red, messages say why, and all is well once it is there', async () => {
    const { other } = await start();
    await until(() => statuses('s').length > 0);
    expect(status()).toEqual({ fill: 'red', shape: 'ring', text: expect.stringContaining('FILE_UNREADABLE') as string });
    expect(warnings('s')).toEqual([expect.stringMatching(/^FILE_UNREADABLE: .*; no event can start$/)]);
    send({ payload: 'text' });
    await until(() => other.length === 1);
    expect(other[0]?.reason?.code).toBe('FILE_UNREADABLE');
    writeFile(TODAY);
    clock.advance(1000);
    await until(() => logged('s').length === 1);
    expect(status()).toMatchObject({ fill: 'grey' });
  });

  test('is found in the user directory when its path is relative', async () => {
    await start({ path: 'no-such-folder/events.json' });
    await until(() => warnings('s').length > 0);
    const require = createRequire(import.meta.url);
    const { settings } = require('@node-red/runtime') as { settings: { userDir?: string } };
    expect(warnings('s')[0]).toContain(join(settings.userDir ?? process.cwd(), 'no-such-folder', 'events.json'));
  });

  test('with overlaps still ahead is said to have them; of those that are over nothing is said', async () => {
    await ready({
      '2026-01-19': [event('A', '15:00', '18:00'), event('B', '16:00', '17:00')],
      '2026-01-21': [event('C', '15:00', '18:00'), event('D', '16:00', '19:00')],
    });
    expect(warnings('s')).toEqual(['SCHEDULE_CONFLICT: "D" of 2026-01-21 16:00 starts late: "C" runs until 2026-01-21 18:00']);
  });
});

describe('the status', () => {
  test('says what runs until when, and what is next, in the time zone', async () => {
    const { other } = await ready({ ...TODAY, '2026-02-28': event('A name that is rather too long', '20:00:30', '22:00') });
    expect(status()).toEqual({ fill: 'grey', shape: 'ring', text: 'status.waiting {"name":"Final","time":"2026-01-20 16:00"}' });
    await later(60 * MINUTE, other, 1);
    expect(status()).toEqual({ fill: 'green', shape: 'dot', text: 'status.running {"name":"Final","time":"18:00"}' });
    await later(120 * MINUTE, other, 2);
    expect(status()).toMatchObject({ text: 'status.waiting {"name":"A name that is rather t…","time":"2026-02-28 20:00"}' });
  });

  test('says when nothing is planned', async () => {
    await ready({});
    expect(status()).toEqual({ fill: 'grey', shape: 'ring', text: 'status.idle' });
  });
});

test.each([
  ['timeZone', { timeZone: 'Mars/Olympus' }],
  ['by', { by: 'chance' }],
  ['lead', { lead: -1 }],
  ['tail', { tail: 1441 }],
])('a wrong %s is red and named, and the file is not looked at', async (field, properties) => {
  writeFile(TODAY);
  await start(properties);
  expect(status()).toMatchObject({ fill: 'red', text: expect.stringContaining(field) as string });
  expect(warnings('s')).toEqual([expect.stringMatching(new RegExp(`^CONFIG_INVALID: ${field}: `))]);
  expect(clock.waiting).toBe(0);
});
