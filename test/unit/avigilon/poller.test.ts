import { describe, expect, test } from 'vitest';
import { crossings } from '../../devices/avigilon/crossings';
import { seededRandom } from '../../devices/seeded-random';
import { chosenCameras } from '../../../nodes/avigilon/camera-list';
import { HOUR, MemoryStore, MINUTE, namesOf, Reading, SECOND, simulated, stopEvent, until, type Rig } from './support/rig';

/** Ids of all STOPs in the logs of the servers, as the server numbers them. */
function written({ server }: Rig): string[] {
  return server.site.servers.flatMap(({ id }) =>
    server.controls
      .log(id)
      .page({ from: -Infinity, to: Infinity, wants: ({ type }) => type === 'DEVICE_ANALYTICS_STOP', limit: Infinity })
      .entries.map(({ event }) => `${event.originatingServerId} ${event.thisId}`),
  );
}
const read = (reading: Reading): string[] => reading.events.map(({ data }) => `${String(data.originatingServerId)} ${String(data.thisId)}`);

/** Every STOP was read, and none twice. */
function expectAll(rig: Rig, reading: Reading): void {
  expect([...read(reading)].sort()).toEqual([...written(rig)].sort());
}

test('reads what happens from now on, once each, with the camera it is of', async () => {
  const rig = await simulated();
  const { clock, server } = rig;
  server.controls.record([stopEvent(rig, clock.now() - HOUR)]);
  const reading = await new Reading(rig).start();
  expect(reading.names).toEqual(['connecting', 'connected']);
  const event = stopEvent(rig, clock.now() + 2 * SECOND);
  server.controls.record([event]);
  await reading.pass(MINUTE);
  expect(reading.events).toHaveLength(1);
  const camera = server.site.cameras[0]!;
  expect(reading.events[0]).toMatchObject({
    source: 'avigilon',
    device: { id: camera.id, name: camera.name, serial: camera.serial, address: camera.address },
    code: 'DEVICE_ANALYTICS_STOP',
    action: 'stop',
    time: new Date(event.at).toISOString(),
    timeSource: 'device',
  });
});

test('events of one millisecond, more than a page of them, are all read', async () => {
  const rig = await simulated({ maxLimit: 7 });
  const reading = await new Reading(rig).start();
  const at = rig.clock.now() + SECOND;
  rig.server.controls.record(Array.from({ length: 40 }, () => stopEvent(rig, at)));
  await reading.pass(MINUTE);
  expectAll(rig, reading);
});

test('events written late are found within the overlap', async () => {
  const rig = await simulated();
  const reading = await new Reading(rig, { overlapMs: 30 * SECOND }).start();
  const { events } = crossings({ site: rig.server.site, count: 300, from: rig.clock.now(), to: rig.clock.now() + 5 * MINUTE, random: seededRandom(1), lateMs: 20_000, lateShare: 0.5 });
  rig.server.controls.record(events);
  await reading.pass(6 * MINUTE);
  expectAll(rig, reading);
});

test('events written later than the overlap, with others in between, are missed: the overlap is what finds them', async () => {
  const rig = await simulated();
  const reading = await new Reading(rig, { overlapMs: SECOND }).start();
  const at = rig.clock.now() + SECOND;
  const others = Array.from({ length: 60 }, (_, second) => stopEvent(rig, at + second * SECOND));
  rig.server.controls.record([...others, stopEvent(rig, at, { writtenAt: at + 20 * SECOND })]);
  await reading.pass(2 * MINUTE);
  expect(reading.events).toHaveLength(60);
});

describe('outages', () => {
  test.each([503, 504])('HTTP %i keeps the position; all is read afterwards, without a gap or a repeat', async (status) => {
    const rig = await simulated();
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 200, from: rig.clock.now(), to: rig.clock.now() + 10 * MINUTE, random: seededRandom(2) });
    rig.server.controls.record(events);
    await reading.pass(MINUTE);
    const outage = rig.server.controls.fault({ kind: 'status', status, route: 'GET /events/search', times: Infinity });
    await reading.pass(5 * MINUTE);
    const before = reading.events.length;
    expect(reading.last).toMatchObject({ state: 'disconnected', reason: { code: 'AVIGILON_UNAVAILABLE' } });
    outage.cancel();
    await reading.pass(6 * MINUTE);
    expect(reading.last?.state).toBe('connected');
    expect(reading.events.length).toBeGreaterThan(before);
    expectAll(rig, reading);
    expect(reading.log).toEqual(['down AVIGILON_UNAVAILABLE', 'up']);
  });

  test('hours are caught up in slices of bounded length, without a gap or a repeat', async () => {
    const rig = await simulated({ maxLimit: 100 });
    const reading = await new Reading(rig).start();
    await reading.pass(MINUTE);
    await rig.server.controls.powerOff();
    const { events } = crossings({ site: rig.server.site, count: 3000, from: rig.clock.now(), to: rig.clock.now() + 7 * HOUR, random: seededRandom(3) });
    rig.server.controls.record(events);
    await reading.pass(7 * HOUR, 5 * MINUTE);
    expect(reading.last?.state).toBe('disconnected');
    const asked = rig.server.stats.queries.length;
    await rig.server.controls.powerOn();
    await reading.pass(2 * MINUTE);
    await reading.catchUp();
    expectAll(rig, reading);
    const ranges = rig.server.stats.queries.slice(asked).map(({ from = 0, to = 0 }) => to - from);
    expect(Math.max(...ranges)).toBeLessThanOrEqual(17 * MINUTE);
  });

  test('answers cut short, garbled, or never given lose nothing', async () => {
    const rig = await simulated({ maxLimit: 5 });
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 150, from: rig.clock.now(), to: rig.clock.now() + 5 * MINUTE, random: seededRandom(4) });
    rig.server.controls.record(events);
    for (const kind of ['cut', 'malformed', 'reset'] as const) rig.server.controls.fault({ kind, route: 'GET /events/search', times: 4, probability: 0.3 });
    rig.server.controls.fault({ kind: 'hang', route: 'GET /events/search', skip: 3 });
    await reading.pass(10 * MINUTE);
    expectAll(rig, reading);
  });

  test('one server of two that fails holds back neither the other nor the connection', async () => {
    const rig = await simulated();
    const [first, second] = rig.server.site.servers.map(({ id }) => id);
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 200, from: rig.clock.now(), to: rig.clock.now() + 10 * MINUTE, random: seededRandom(5) });
    rig.server.controls.record(events);
    let failing = true;
    const get = reading.client.get.bind(reading.client);
    reading.client.get = (path, query, signal) => {
      if (failing && query.some(([, value]) => value === second)) rig.server.controls.fault({ kind: 'status', status: 503, route: 'GET /events/search' });
      return get(path, query, signal);
    };
    await reading.pass(5 * MINUTE);
    expect(reading.last?.state).toBe('connected');
    expect(reading.log).toEqual(['down AVIGILON_UNAVAILABLE']);
    expect(new Set(reading.events.map(({ data }) => data.originatingServerId))).toEqual(new Set([first]));
    failing = false;
    await reading.pass(8 * MINUTE);
    expectAll(rig, reading);
    expect(reading.log).toEqual(['down AVIGILON_UNAVAILABLE', 'up']);
  });
});

describe('what survives', () => {
  test('a restart goes on from the cursor: what happened meanwhile is read, what came before the overlap is not', async () => {
    const rig = await simulated();
    const store = new MemoryStore();
    const { clock, server } = rig;
    const { events } = crossings({ site: server.site, count: 400, from: clock.now(), to: clock.now() + HOUR, random: seededRandom(6) });
    server.controls.record(events);
    const before = await new Reading(rig, { store }).start();
    await before.pass(10 * MINUTE);
    await before.poller.stop();
    const stoppedAt = clock.now();
    clock.advance(30 * MINUTE);
    const after = await new Reading(rig, { store }).start();
    await after.catchUp();
    await after.pass(25 * MINUTE);
    expect([...new Set([...read(before), ...read(after)])].sort()).toEqual(written(rig).sort());
    expect(Date.parse(after.events[0]!.time)).toBeGreaterThan(stoppedAt - 2 * MINUTE);
  });

  test('killed at any moment, also between handing on and saving: repeats, with the same ids, but no loss', async () => {
    const rig = await simulated({ maxLimit: 5 });
    const store = new MemoryStore();
    const { clock, server } = rig;
    const { events } = crossings({ site: server.site, count: 300, from: clock.now(), to: clock.now() + 20 * MINUTE, random: seededRandom(7) });
    server.controls.record(events);
    const random = seededRandom(8);
    const processed = new Set<string>();
    const ids = new Set<string>();
    for (let life = 0; life < 12; life++) {
      // What was handed on within the last moments of a process was still on its way and dies with it.
      const onTheWay: { name: string; at: number }[] = [];
      const reading = await new Reading(rig, { store, onEvent: ({ id, data }) => {
        ids.add(id);
        onTheWay.push({ name: `${String(data.originatingServerId)} ${String(data.thisId)}`, at: clock.now() });
      } }).start();
      await reading.pass(Math.ceil(random() * 3 * MINUTE), 5 * SECOND);
      // No farewell: a store that takes no more is what a killed process leaves.
      store.failing = true;
      await reading.poller.stop();
      store.failing = false;
      for (const { name, at } of onTheWay) if (at < clock.now() - 9 * SECOND) processed.add(name);
    }
    const last = await new Reading(rig, { store }).start();
    await last.pass(30 * MINUTE);
    for (const name of read(last)) processed.add(name);
    for (const id of last.ids) ids.add(id);
    expect([...processed].sort()).toEqual(written(rig).sort());
    expect(ids.size).toBe(processed.size);
  });

  test('killed while catching up: what was still on its way through the flow is read again', async () => {
    const rig = await simulated({ maxLimit: 100 });
    const store = new MemoryStore();
    const { clock, server } = rig;
    const before = await new Reading(rig, { store }).start();
    await before.pass(MINUTE);
    await before.poller.stop();
    server.controls.record(crossings({ site: server.site, count: 500, from: clock.now(), to: clock.now() + 3 * HOUR, random: seededRandom(15) }).events);
    clock.advance(3 * HOUR);
    const killed = await new Reading(rig, { store }).start();
    await killed.catchUp(10);
    expect(killed.events.length).toBeGreaterThan(100);
    store.failing = true;
    await killed.poller.stop();
    store.failing = false;
    const after = await new Reading(rig, { store }).start();
    await after.catchUp();
    expect([...new Set([...read(before), ...read(after)])].sort()).toEqual(written(rig).sort());
  });

  test('an event that could not be handed on comes again', async () => {
    const rig = await simulated();
    let broken = true;
    const reading = await new Reading(rig, { onEvent: () => { if (broken) throw new Error('no'); } }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(10 * SECOND);
    expect(reading.last?.state).toBe('disconnected');
    broken = false;
    await reading.pass(MINUTE);
    expect(reading.events).toHaveLength(1);
  });

  test('a store that cannot save does not stop events, and is told of; a restart then repeats', async () => {
    const rig = await simulated();
    const store = new MemoryStore();
    const reading = await new Reading(rig, { store }).start();
    await reading.pass(MINUTE);
    store.failing = true;
    const { events } = crossings({ site: rig.server.site, count: 50, from: rig.clock.now(), to: rig.clock.now() + 5 * MINUTE, random: seededRandom(9) });
    rig.server.controls.record(events);
    await reading.pass(6 * MINUTE);
    expectAll(rig, reading);
    expect(reading.names).toEqual(['connecting', 'connected']);
    expect(reading.notices.map(({ code }) => code)).toContain('STORE_FAILED');
    store.failing = false;
    const again = await new Reading(rig, { store }).start();
    await again.catchUp(10);
    expectAll(rig, again);
  });

  test('a cursor is there before the first search succeeds, so that an outage at the very start loses nothing', async () => {
    const rig = await simulated();
    const store = new MemoryStore();
    rig.server.controls.fault({ kind: 'status', status: 503, route: 'GET /events/search', times: Infinity });
    const first = await new Reading(rig, { store }).start();
    const { clock, server } = rig;
    server.controls.record([stopEvent(rig, clock.now() + SECOND)]);
    await first.pass(MINUTE);
    await first.poller.stop();
    clock.advance(HOUR);
    server.controls.clearFaults();
    const second = await new Reading(rig, { store }).start();
    await second.catchUp(50);
    expectAll(rig, second);
  });

  test('nonsense in the store is no cursor', async () => {
    const rig = await simulated();
    const store = new MemoryStore();
    for (const { id } of rig.server.site.servers) store.durable.set(`node/${id}`, { at: 'yesterday' });
    const reading = await new Reading(rig, { store }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(10 * SECOND);
    expectAll(rig, reading);
  });
});

describe('clocks', () => {
  test.each([
    ['the server 4 minutes ahead', 4 * MINUTE],
    ['the server 4 minutes behind', -4 * MINUTE],
  ])('%s: every event is read, and soon', async (_, offset) => {
    const rig = await simulated();
    rig.server.controls.setClockOffset(offset);
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 100, from: rig.server.now(), to: rig.server.now() + 5 * MINUTE, random: seededRandom(10), lateMs: 5000 });
    rig.server.controls.record(events);
    await reading.pass(6 * MINUTE);
    expectAll(rig, reading);
  });

  test('a server that is behind and does not tell: its events are not taken for read before they are written', async () => {
    const rig = await simulated({}, 4 * MINUTE);
    rig.server.controls.setClockOffset(-4 * MINUTE);
    const reading = await new Reading(rig).start();
    await reading.pass(20 * MINUTE);
    for (let minute = 0; minute < 30; minute += 3) rig.server.controls.record([stopEvent(rig, rig.server.now() + minute * MINUTE)]);
    await reading.pass(40 * MINUTE);
    expectAll(rig, reading);
  });

  test('answers dated by a proxy with a clock of its own mislead nobody', async () => {
    const rig = await simulated({}, 300 * 24 * HOUR);
    const reading = await new Reading(rig).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(MINUTE);
    expectAll(rig, reading);
  });

  test("the server's clock is set back and forth while reading", async () => {
    const rig = await simulated();
    const reading = await new Reading(rig).start();
    for (const offset of [0, -3 * MINUTE, 2 * MINUTE, -MINUTE, 0]) {
      rig.server.controls.setClockOffset(offset);
      const { events } = crossings({ site: rig.server.site, count: 40, from: rig.server.now(), to: rig.server.now() + 2 * MINUTE, random: seededRandom(11 + offset) });
      rig.server.controls.record(events);
      await reading.pass(3 * MINUTE);
    }
    await reading.pass(5 * MINUTE);
    expectAll(rig, reading);
  });
});

describe('a span', () => {
  test('begins at from, which lies behind, and ends after to when late events were read', async () => {
    const rig = await simulated();
    const { clock, server } = rig;
    const start = clock.now();
    const inside = [stopEvent(rig, start - 20 * MINUTE), stopEvent(rig, start + 30 * SECOND), stopEvent(rig, start + 59 * SECOND, { writtenAt: start + 80 * SECOND })];
    server.controls.record([stopEvent(rig, start - 30 * MINUTE - 1), ...inside, stopEvent(rig, start + 61 * SECOND)]);
    const reading = await new Reading(rig).start({ from: start - 30 * MINUTE, until: start + MINUTE });
    await reading.catchUp(10);
    await reading.pass(2 * MINUTE);
    expect(namesOf(reading.events)).toEqual(inside.map(({ fields }) => fields!.analyticEventName));
    expect(reading.last?.state).toBe('stopped');
    const asked = server.stats.requests;
    await reading.pass(MINUTE);
    expect(server.stats.requests).toBe(asked);
  });

  test('that lies ahead reads nothing until then', async () => {
    const rig = await simulated();
    const start = rig.clock.now();
    rig.server.controls.record([stopEvent(rig, start + MINUTE), stopEvent(rig, start + 11 * MINUTE)]);
    const reading = await new Reading(rig).start({ from: start + 10 * MINUTE });
    await reading.pass(12 * MINUTE);
    expect(reading.events).toHaveLength(1);
    expect(reading.events[0]!.time).toBe(new Date(start + 11 * MINUTE).toISOString());
  });

  test('begun anew goes on where it stopped, and repeats nothing', async () => {
    const rig = await simulated();
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 100, from: rig.clock.now(), to: rig.clock.now() + 10 * MINUTE, random: seededRandom(12) });
    rig.server.controls.record(events);
    await reading.pass(3 * MINUTE);
    await reading.poller.stop();
    rig.clock.advance(4 * MINUTE);
    await reading.start();
    await reading.pass(5 * MINUTE);
    expectAll(rig, reading);
  });

  test('of yesterday, after today was read, sets nothing back', async () => {
    const rig = await simulated();
    const { clock } = rig;
    const reading = await new Reading(rig).start();
    rig.server.controls.record([stopEvent(rig, clock.now() + SECOND)]);
    await reading.pass(10 * MINUTE);
    await reading.poller.stop();
    await reading.start({ from: clock.now() - 24 * HOUR, until: clock.now() - 23 * HOUR });
    await reading.pass(MINUTE);
    await reading.start();
    await reading.pass(MINUTE);
    expectAll(rig, reading);
  });

  test('finish reads what has happened, and ends', async () => {
    const rig = await simulated();
    const reading = await new Reading(rig, { intervalMs: 10 * MINUTE }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    rig.clock.advance(MINUTE);
    reading.poller.finish();
    await until(() => reading.last?.state === 'stopped');
    expectAll(rig, reading);
  });

  test('finish while the server is away ends at once', async () => {
    const rig = await simulated();
    await rig.server.controls.powerOff();
    const reading = await new Reading(rig).start();
    reading.poller.finish();
    await until(() => reading.last?.state === 'stopped');
  });

  test('finish during the very first lap reads on to the present', async () => {
    const rig = await simulated();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() - SECOND)]);
    const reading = new Reading(rig);
    reading.poller.start({ from: rig.clock.now() - MINUTE });
    reading.poller.finish();
    await until(() => reading.last?.state === 'stopped');
    expectAll(rig, reading);
  });

  test('finish during a lap that fails ends with it', async () => {
    const rig = await simulated();
    rig.server.controls.fault({ kind: 'status', status: 503, route: 'GET /events/search', times: Infinity });
    const reading = new Reading(rig);
    reading.poller.start();
    await until(() => reading.names.includes('connecting'));
    reading.poller.finish();
    await until(() => reading.last?.state === 'stopped');
  });

  test('finish just after the end of the span waits for late events; asked again it does not', async () => {
    const rig = await simulated();
    const end = rig.clock.now() + MINUTE;
    const reading = await new Reading(rig).start({ until: end });
    rig.server.controls.record([stopEvent(rig, end - SECOND, { writtenAt: end + 20 * SECOND })]);
    await reading.pass(MINUTE);
    reading.poller.finish();
    await reading.pass(MINUTE);
    expect(reading.last?.state).toBe('stopped');
    expectAll(rig, reading);
    await reading.start({ until: rig.clock.now() });
    reading.poller.finish();
    reading.poller.finish();
    await until(() => reading.last?.state === 'stopped');
  });

  test('stop and start in one go leave it reading', async () => {
    const rig = await simulated();
    const reading = await new Reading(rig).start();
    void reading.poller.stop();
    reading.poller.start();
    await until(() => reading.names.join() === 'connecting,connected,stopped,connecting,connected');
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(10 * SECOND);
    expectAll(rig, reading);
  });
});

describe('history', () => {
  test('gives a range, however long, and moves nothing', async () => {
    const rig = await simulated({ maxLimit: 20 });
    const { clock, server } = rig;
    const from = clock.now() - 5 * HOUR;
    server.controls.record(crossings({ site: server.site, count: 300, from, to: clock.now(), random: seededRandom(13) }).events);
    const reading = new Reading(rig);
    const found: string[] = [];
    await reading.poller.history(from, clock.now(), ({ data }) => found.push(`${String(data.originatingServerId)} ${String(data.thisId)}`), new AbortController().signal);
    expect(found.sort()).toEqual(written(rig).sort());
    await reading.start();
    await reading.pass(MINUTE);
    expect(reading.events.every(({ time }) => Date.parse(time) >= clock.now() - 2 * MINUTE)).toBe(true);
  });

  test('ends when its signal does', async () => {
    const rig = await simulated();
    rig.server.controls.fault({ kind: 'hang', route: 'GET /events/search' });
    const reading = new Reading(rig);
    const abort = new AbortController();
    const asking = reading.poller.history(rig.clock.now() - HOUR, rig.clock.now(), () => undefined, abort.signal);
    await until(() => rig.server.stats.faults.length === 1);
    abort.abort();
    await expect(asking).rejects.toThrow();
  });
});

describe('cameras and servers', () => {
  test('only cameras of the list are read', async () => {
    const rig = await simulated();
    const [first, second] = rig.server.site.cameras;
    const reading = await new Reading(rig, { cameras: chosenCameras([first!.id]) }).start();
    const at = rig.clock.now() + SECOND;
    rig.server.controls.record([stopEvent(rig, at), stopEvent(rig, at, { serverId: second!.serverId, fields: { cameraId: second!.id } })]);
    await reading.pass(10 * SECOND);
    expect(reading.events.map(({ device }) => device.id)).toEqual([first!.id]);
  });

  test('an empty list reads nothing, not everything', async () => {
    const rig = await simulated();
    const reading = await new Reading(rig, { cameras: chosenCameras([]) }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(MINUTE);
    expect(reading.last?.state).toBe('connected');
    expect(rig.server.stats.queries).toEqual([]);
    expect(reading.events).toEqual([]);
  });

  test('a camera that is gone from the site, and spoils searches there, is left out and told of; the others are read', async () => {
    const rig = await simulated({ unknownDevice: 'notFound' });
    const gone = '4xIx1DMwMLSwMDUgone';
    const reading = await new Reading(rig, { cameras: chosenCameras([...rig.server.site.cameras.map(({ id }) => id), gone]) }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(10 * SECOND);
    expectAll(rig, reading);
    expect(reading.notices.map(({ message }) => message)).toEqual([expect.stringContaining(gone)]);
    expect(reading.names).toEqual(['connecting', 'connected']);
  });

  test('a list of nothing but unknown cameras reads nothing, not everything', async () => {
    const rig = await simulated({ unknownDevice: 'notFound' });
    const reading = await new Reading(rig, { cameras: chosenCameras(['gone']) }).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(MINUTE);
    expect(reading.events).toEqual([]);
  });

  test.each(['servers', 'list', 'serverIdList', 'bare'] as const)('ids of servers in the shape %s (facts A9.10)', async (serverIdsShape) => {
    const rig = await simulated({ serverIdsShape });
    const reading = await new Reading(rig).start();
    const { events } = crossings({ site: rig.server.site, count: 20, from: rig.clock.now(), to: rig.clock.now() + MINUTE, random: seededRandom(14) });
    rig.server.controls.record(events);
    await reading.pass(2 * MINUTE);
    expectAll(rig, reading);
  });

  test('a server that joins the site is read from about then, not from when reading began', async () => {
    const rig = await simulated();
    const [first, second] = rig.server.site.servers;
    const all = rig.server.site.servers;
    (rig.server.site as { servers: unknown }).servers = [first];
    const reading = await new Reading(rig).start();
    await reading.pass(24 * HOUR, 5 * MINUTE);
    rig.server.controls.record([stopEvent(rig, rig.clock.now() - 20 * HOUR, { serverId: second!.id }), stopEvent(rig, rig.clock.now() + MINUTE, { serverId: second!.id })]);
    (rig.server.site as { servers: unknown }).servers = all;
    await reading.pass(20 * MINUTE, MINUTE);
    expect(reading.events).toHaveLength(1);
    expect(Date.parse(reading.events[0]!.time)).toBeGreaterThan(rig.clock.now() - HOUR);
  });

  test('servers named in the dialog are the only ones asked (facts A9.4)', async () => {
    const rig = await simulated();
    const [first] = rig.server.site.servers;
    const reading = await new Reading(rig, { serverIds: [first!.id] }).start();
    await reading.pass(10 * SECOND);
    expect(new Set(rig.server.stats.queries.map(({ serverId }) => serverId))).toEqual(new Set([first!.id]));
    expect(rig.server.stats.requestsByRoute['GET /server/ids']).toBeUndefined();
  });

  test('asks for cameras with low verbosity, and rarely (facts A9.6)', async () => {
    const rig = await simulated();
    let verbosity = new Set<string | undefined>();
    const reading = new Reading(rig);
    const get = reading.client.get.bind(reading.client);
    reading.client.get = (path, query, signal) => {
      if (path === '/cameras') verbosity = verbosity.add(query.find(([key]) => key === 'verbosity')?.[1]);
      return get(path, query, signal);
    };
    await reading.start();
    await reading.pass(HOUR, MINUTE);
    expect(verbosity).toEqual(new Set(['LOW']));
    expect(rig.server.stats.requestsByRoute['GET /cameras']).toBeLessThanOrEqual(7);
  });

  test('names are no condition: a server that cannot list cameras is read', async () => {
    const rig = await simulated();
    rig.server.controls.fault({ kind: 'status', status: 500, route: 'GET /cameras', times: Infinity });
    const reading = await new Reading(rig).start();
    rig.server.controls.record([stopEvent(rig, rig.clock.now() + SECOND)]);
    await reading.pass(10 * SECOND);
    expect(reading.events[0]!.device).toEqual({ id: rig.server.site.cameras[0]!.id });
  });
});
