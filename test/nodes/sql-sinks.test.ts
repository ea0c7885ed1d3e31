import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import helper from 'node-red-node-test-helper';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CameraEvent } from '../../nodes/kit/camera-event';
import type { Reason } from '../../nodes/kit/errors';
import { EmbeddedDatabase } from '../../nodes/sql/embedded-database';
import { collect, errors, load, node, statuses, unhandledRejections, unload, until, useRed, warnings, type Received } from './support/red';

useRed();

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sql-nodes-'));
  helper.settings({ userDir: folder });
});
afterEach(async () => {
  await unload();
  rmSync(folder, { recursive: true, force: true });
  expect(unhandledRejections()).toEqual([]);
});

interface Message extends Received {
  event?: { name: string };
  reason?: Reason;
  stored?: string;
}

let count = 0;
const event = (analyticEventName: unknown, changes: Partial<CameraEvent> = {}): CameraEvent => ({
  id: `e-${count++}`,
  source: 'avigilon',
  device: { id: '4xIx1D' },
  channel: null,
  code: 'DEVICE_ANALYTICS_STOP',
  action: 'stop',
  time: new Date(Date.now() - 60_000 + count).toISOString(),
  timeSource: 'device',
  receivedAt: new Date().toISOString(),
  data: { analyticEventName, area: '', activity: 'OBJECT_COUNTING_ENTER', cameraId: '4xIx1D' },
  ...changes,
});

/** One sink on an embedded database, its outputs collected. */
async function start(type: string, properties: object = {}, database: object = {}): Promise<{ out: Message[]; held: Message[]; done: object[] }> {
  await load([
    { id: 'db', type: 'sql-database', ...database },
    { id: 's', type, database: 'db', lingerMs: 0, wires: [['out'], ['held']], ...properties },
    { id: 'out', type: 'helper' },
    { id: 'held', type: 'helper' },
  ]);
  return { out: collect('out'), held: collect('held'), done: doneMessages('s') };
}

/** What the node is done with. */
function doneMessages(id: string): object[] {
  const done: object[] = [];
  const completing = node(id) as unknown as { _complete: (msg: object, error?: unknown) => void };
  const complete = completing._complete.bind(completing);
  completing._complete = (msg, error) => {
    if (error === undefined) done.push(msg);
    complete(msg, error);
  };
  return done;
}

const send = (payload: unknown, name: string | null = 'Final'): void =>
  node('s').receive({ payload, ...(name === null ? {} : { event: { name, start: '', end: '' } }) });

/** Reads the database beside the flow. */
async function rows(sql: string): Promise<Record<string, unknown>[]> {
  const database = new EmbeddedDatabase({ file: join(folder, 'camera-events', 'events.sqlite') });
  try {
    return await database.query({ steps: [sql], params: {} });
  } finally {
    await database.close();
  }
}

/** The database cannot be opened until the returned function is called. */
async function away(): Promise<() => void> {
  await rows('SELECT 1');
  const lock = join(folder, 'camera-events', 'events.sqlite.pid');
  writeFileSync(lock, JSON.stringify({ pid: process.pid, started: null, host: hostname(), nonce: 'other' }));
  return () => rmSync(lock);
}

describe('event-insert', () => {
  test('stores the stadium’s columns, in the time of its clocks, and hands the event on', async () => {
    const { out } = await start('event-insert');
    send(event('Aforo Entrada Puerta 4', { time: new Date(Date.now() - 1000).toISOString() }));
    await until(() => out.length === 1);
    expect(out[0]).toMatchObject({ stored: 'inserted', event: { name: 'Final' } });
    const [row] = await rows('SELECT * FROM eventos_Analisis');
    const time = (out[0]!.payload as CameraEvent).time;
    const local = new Date(Date.parse(time) - 5 * 3_600_000).toISOString().replace('T', ' ').slice(0, -1);
    expect(row).toMatchObject({ analyticEventName: 'Aforo Entrada Puerta 4', area: '', activity: 'OBJECT_COUNTING_ENTER', cameraID: '4xIx1D', timestamp: local, nombre_evento: 'Final' });
  });

  test('holds back what no rule asks for, with the reason', async () => {
    const { out, held } = await start('event-insert');
    send(event('Aforo Entrada Parqueadero Norte'));
    send(event(null));
    await until(() => held.length === 2);
    expect(held.map(({ reason }) => reason?.code)).toEqual(['EVENT_FILTERED', 'EVENT_FILTERED']);
    expect(out).toEqual([]);
  });

  test('an empty filter lets every event through', async () => {
    const { out } = await start('event-insert', { filter: [] });
    send(event(null));
    await until(() => out.length === 1);
  });

  test('an event that comes again is stored once', async () => {
    const { out } = await start('event-insert');
    const once = event('Puerta');
    for (let i = 0; i < 3; i++) send(once);
    await until(() => out.length === 3);
    expect(out.map(({ stored }) => stored)).toEqual(['inserted', 'already', 'already']);
    expect(await rows('SELECT * FROM eventos_Analisis')).toHaveLength(1);
  });

  test('a row that its table refuses goes to output 2, the others are stored', async () => {
    await rows('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL)');
    const { out, held } = await start('event-insert', { table: 't', filter: '[]', lingerMs: 20, columns: JSON.stringify([{ column: 'name', value: 'payload.data.analyticEventName' }]) });
    for (const name of ['a', null, 'b', 'c']) send(event(name));
    await until(() => out.length === 3 && held.length === 1);
    expect(held[0]!.reason?.code).toBe('SQL_ROW_REFUSED');
    expect((await rows('SELECT name FROM t')).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  test('an event older than the ledger remembers is refused', async () => {
    const { held } = await start('event-insert', {}, { retentionDays: 7 });
    send(event('Puerta', { time: new Date(Date.now() - 8 * 86_400_000).toISOString() }));
    await until(() => held.length === 1);
    expect(held[0]!.reason?.code).toBe('EVENT_TOO_OLD');
  });

  test.each([[{ payload: 'x' }], [{ payload: { ...event('Puerta'), time: 'yesterday' } }]])('%j fails, and nothing else does', async (bad) => {
    const { out } = await start('event-insert');
    node('s').receive(bad);
    send(event('Puerta'));
    await until(() => out.length === 1);
    expect(errors('s')).toMatchObject([{ code: 'NOT_A_CAMERA_EVENT' }]);
  });

  test.each([
    ['table', { table: 'a\u0000b' }],
    ['columns', { columns: [{ column: '' }] }],
    ['columns', { columns: 'not json' }],
    ['columns', { columns: [] }],
    ['filter', { filter: [{ op: 'regex', value: '(a+)+' }] }],
    ['effect', { effect: 'ñ' }],
    ['database', { database: 'none' }],
    ['batchSize', { batchSize: 5000 }],
  ])('a bad %s shows red and says so once', async (property, properties) => {
    await start('event-insert', properties);
    expect(statuses('s')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${property}"}` }]);
    expect(warnings('s')).toHaveLength(1);
  });
});

describe('while the database is away', () => {
  test('events wait on disk, done at once, and go there in order after a restart', async () => {
    const back = await away();
    const { done } = await start('event-insert');
    const events = Array.from({ length: 30 }, (_, n) => event(`Puerta ${n}`));
    for (const one of events) send(one);
    await until(() => done.length === 30);
    await until(() => statuses('s').some(({ fill }) => fill === 'red'));
    expect(statuses('s').at(-1)!.text).toMatch(/^status\.away \{.*"count":30,/);
    expect(warnings('s')).toEqual([expect.stringMatching(/^STORE_LOCKED/)]);
    await unload();
    back();

    const { out } = await start('event-insert');
    await until(() => out.length === 30);
    expect(out.map(({ payload }) => (payload as CameraEvent).id)).toEqual(events.map(({ id }) => id));
    expect(out[0]).toMatchObject({ stored: 'inserted', event: { name: 'Final' } });
    const stored = await rows('SELECT analyticEventName AS name, nombre_evento AS evento FROM eventos_Analisis ORDER BY id');
    expect(stored.map(({ name }) => name)).toEqual(events.map(({ data }) => data.analyticEventName));
    expect(stored[0]).toMatchObject({ evento: 'Final' });
  });

  test('when it is back, what waited goes first, and the log says so once', async () => {
    const back = await away();
    const { out } = await start('event-insert');
    const events = Array.from({ length: 6 }, (_, n) => event(`Puerta ${n}`));
    for (const one of events.slice(0, 3)) send(one);
    await until(() => warnings('s').length > 0);
    for (const one of events.slice(3)) send(one);
    back();
    await until(() => out.length === 6);
    expect(out.map(({ payload }) => (payload as CameraEvent).id)).toEqual(events.map(({ id }) => id));
    await until(() => statuses('s').at(-1)?.fill === 'green');
    expect(warnings('s')).toHaveLength(1);
  });

  test('a full outbox refuses with its code, and what it has taken is kept', async () => {
    const back = await away();
    await start('event-insert', { outboxMaxItems: 2 });
    for (let n = 0; n < 4; n++) {
      send(event('Puerta'));
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    await until(() => errors('s').length === 2);
    expect(errors('s').map(({ code }) => code)).toEqual(['OUTBOX_FULL', 'OUTBOX_FULL']);
    await unload();
    back();
    const { out } = await start('event-insert');
    await until(() => out.length === 2);
  });
});

describe('aforo-upsert', () => {
  const ENTRY = 'Aforo Entrada Parqueadero Norte';
  const EXIT = 'Aforo Salida Parqueadero Norte';

  test('counts the stadium’s zones, each event once', async () => {
    const { out } = await start('aforo-upsert', { lingerMs: 30 });
    const events = [event(ENTRY), event(ENTRY), event(EXIT), event('Ingreso Parqueadero Sur'), event('Salida Vehicular Campinsito')];
    for (const one of [...events, ...events]) send(one);
    await until(() => out.length === 3);
    expect(out.map(({ topic, payload }) => [topic, payload])).toEqual([
      ['aforo/PARQUEADERO NORTE', { zone: 'PARQUEADERO NORTE', event: 'Final', entries: 2, exits: 1, aforo: 1, previous: 0 }],
      ['aforo/CAMPINSITO', { zone: 'CAMPINSITO', event: 'Final', entries: 0, exits: 1, aforo: 0, previous: 0, lost: 1 }],
      ['aforo/ZONA SUR', { zone: 'ZONA SUR', event: 'Final', entries: 1, exits: 0, aforo: 1, previous: 0 }],
    ]);
    expect(await rows('SELECT evento, aforo FROM Aforo_parqueadero')).toEqual([{ evento: 'Final', aforo: 1 }]);
  });

  test('holds back what no zone counts, and what belongs to no event', async () => {
    const { held } = await start('aforo-upsert');
    send(event('Puerta'));
    send(event(null));
    send(event(ENTRY), null);
    await until(() => held.length === 3);
    expect(held.map(({ reason }) => reason?.code)).toEqual(['EVENT_FILTERED', 'EVENT_FILTERED', 'EVENT_NAME_MISSING']);
  });

  test('falls back on the event name of its configuration', async () => {
    const { out } = await start('aforo-upsert', { eventName: 'Partido' });
    send(event(ENTRY), null);
    await until(() => out.length === 1);
    expect(out[0]!.payload).toMatchObject({ event: 'Partido' });
  });

  test('is set and reset by message, and writes down who counted what before', async () => {
    const { out } = await start('aforo-upsert');
    send({ action: 'set', zone: 'zona sur', value: 40 });
    await until(() => out.length === 1);
    node('s').receive({ payload: { action: 'reset', zone: 'ZONA SUR' }, event: { name: 'Final' } });
    await until(() => out.length === 2);
    expect(out.map(({ payload }) => payload)).toEqual([
      { zone: 'ZONA SUR', event: 'Final', entries: 0, exits: 0, aforo: 40, previous: 0, action: 'set' },
      { zone: 'ZONA SUR', event: 'Final', entries: 0, exits: 0, aforo: 0, previous: 40, action: 'reset' },
    ]);
    expect(await rows('SELECT action, zone, event, previous, value FROM camera_events_audit')).toEqual([
      { action: 'set', zone: 'ZONA SUR', event: 'Final', previous: 0, value: 40 },
      { action: 'reset', zone: 'ZONA SUR', event: 'Final', previous: 40, value: 0 },
    ]);
  });

  test.each([
    [{ action: 'set', zone: 'nowhere', value: 1 }, 'BAD_MESSAGE'],
    [{ action: 'set', zone: 'ZONA SUR', value: -1 }, 'BAD_MESSAGE'],
    [{ action: 'set', zone: 'ZONA SUR' }, 'BAD_MESSAGE'],
    [{ action: 'explode' }, 'BAD_MESSAGE'],
    ['text', 'NOT_A_CAMERA_EVENT'],
  ])('%j fails with %s', async (payload, code) => {
    await start('aforo-upsert');
    send(payload);
    await until(() => errors('s').length === 1);
    expect(errors('s')[0]).toMatchObject({ code });
  });

  test('a setting waits its turn among the events, also on disk', async () => {
    const back = await away();
    const { done } = await start('aforo-upsert');
    send(event(ENTRY));
    await until(() => done.length === 1);
    send({ action: 'set', zone: 'PARQUEADERO NORTE', value: 10 });
    send(event(ENTRY));
    await until(() => done.length === 3);
    await unload();
    back();
    const { out } = await start('aforo-upsert');
    await until(() => out.length === 3);
    expect(out.map(({ payload }) => (payload as { aforo: number }).aforo)).toEqual([1, 10, 11]);
  });

  test.each([
    ['zones', { zones: [] }],
    ['zones', { zones: [{ name: 'a' }] }],
    ['zones', { zones: [{ name: 'a', table: 't', entry: [{ value: '' }] }] }],
    ['table', { zones: [{ name: 'a', table: 'a\u0001' }] }],
  ])('bad %s show red', async (property, properties) => {
    await start('aforo-upsert', properties);
    expect(statuses('s')).toMatchObject([{ fill: 'red', text: `status.config {"field":"${property}"}` }]);
  });
});
