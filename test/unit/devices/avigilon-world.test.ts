import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startAvigilonServer, type AvigilonServer } from '../../devices/avigilon/avigilon-server';
import { AMBIGUOUS_NAME, ENTRANCES, HOSTILE_NAMES, ZONES, type Zone } from '../../devices/avigilon/counting-rules';
import { crossings, type CrossingOptions, type Crossings } from '../../devices/avigilon/crossings';
import type { EventDraft, WepEvent } from '../../devices/avigilon/event-log';
import { liveScene } from '../../devices/avigilon/live-scene';
import { PlainClient } from '../../devices/avigilon/plain-client';
import { cameraId, makeSite } from '../../devices/avigilon/site';
import { seededRandom } from '../../devices/seeded-random';
import { ManualClock } from '../support/manual-clock';

/** What the seed looks for in upper-cased names (facts A7), written down here once more to check the rules against it. */
const PATTERNS: Record<Zone, readonly [entry: string, exit: string]> = {
  'parqueadero norte': ['AFORO ENTRADA PARQUEADERO NORTE', 'AFORO SALIDA PARQUEADERO NORTE'],
  campinsito: ['ENTRADA VEHICULAR CAMPINSITO', 'SALIDA VEHICULAR CAMPINSITO'],
  'zona sur': ['INGRESO PARQUEADERO SUR', 'SALIDA PARQUEADERO SUR'],
};
const effects = (name: string): [Zone, 1 | -1][] =>
  ZONES.flatMap((zone) => PATTERNS[zone].flatMap((pattern, index) => (name.toUpperCase().includes(pattern) ? [[zone, index === 0 ? 1 : -1] as [Zone, 1 | -1]] : [])));
const inHistory = (name: string): boolean => {
  const upper = name.toUpperCase();
  return upper.includes('PUERTA') || upper.includes('AFORO ENTRADA SENCIA') || upper === 'INGRESO PERSONAS ENTRADA MARATON';
};
const nameOf = ({ fields }: EventDraft): string => (typeof fields?.analyticEventName === 'string' ? fields.analyticEventName : '');

const NOON = Date.UTC(2026, 0, 15, 12);
const site = makeSite();
const make = (more: Partial<CrossingOptions> = {}): Crossings =>
  crossings({ site, count: 500, from: NOON, to: NOON + 600_000, random: seededRandom(4), ...more });

describe('the site', () => {
  it('has 22 cameras on two servers, each known by an id that can be read back', () => {
    expect(site.cameras).toHaveLength(22);
    expect(new Set(site.cameras.map(({ id }) => id)).size).toBe(22);
    for (const { id, mac, serverId } of site.cameras) {
      const message = inflateRawSync(Buffer.from(id, 'base64url'));
      expect(message.subarray(2, 22).toString()).toBe(`1.${mac}.cam00`);
      expect(message.subarray(24).toString('base64url')).toBe(serverId);
      expect(id).toMatch(/^4xIx1DM[\w-]+$/);
    }
    expect(site.servers.map(({ id }) => Buffer.from(id, 'base64url').length)).toEqual([16, 16]);
  });

  it('makes camera ids as the sample of the facts has them', () => {
    expect(cameraId('00188520788a', 'pXyE3ycIRJCvkVSBJ9pH-Q')).toBe('4xIx1DMwMLSwMDUyMLewSNRLTsw1MBASWFrTcl-dw2XC-okhjeq33H8CAA');
  });

  it('is the same for the same numbers, and as big as wanted', () => {
    expect(makeSite()).toEqual(site);
    const big = makeSite({ servers: 3, cameras: 50, random: seededRandom(1) });
    expect(big.cameras).toHaveLength(50);
    expect(new Set(big.cameras.map(({ name }) => name)).size).toBe(50);
    expect(new Set(big.cameras.map(({ serverId }) => serverId)).size).toBe(3);
  });

  it('has rules that mean what their names say', () => {
    for (const { name, effect, history } of ENTRANCES.flatMap(({ rules }) => rules)) {
      expect(effects(name!)).toEqual(effect ? [[effect.zone, effect.change]] : []);
      expect(inHistory(name!)).toBe(history);
    }
    for (const name of HOSTILE_NAMES) expect([effects(name ?? ''), inHistory(name ?? '')]).toEqual([[], false]);
    expect(effects(AMBIGUOUS_NAME)).toHaveLength(2);
  });
});

describe('crossings', () => {
  it('know the truth: counting the STOPs by name gives the same', () => {
    const { events, truth } = make({ count: 3000, lateMs: 5000, hostile: 0.1 });
    const stops = events.filter(({ type }) => type === 'DEVICE_ANALYTICS_STOP').sort((a, b) => a.at - b.at);
    expect(stops).toHaveLength(truth.stops);
    expect(stops.filter((event) => inHistory(nameOf(event)))).toHaveLength(truth.history);
    for (const zone of ZONES) {
      const changes = stops.flatMap((event) => effects(nameOf(event))).filter(([where]) => where === zone).map(([, change]) => change);
      expect(truth.zones[zone]).toEqual({
        entries: changes.filter((change) => change === 1).length,
        exits: changes.filter((change) => change === -1).length,
        occupancy: changes.reduce<number>((inside, change) => Math.max(0, inside + change), 0),
      });
      expect(truth.zones[zone].exits).toBeGreaterThan(0);
    }
  });

  it('never leave a zone below 0, in whichever order they are counted', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 10_000 }), (seed, lateMs) => {
        const { events, truth } = make({ count: 120, random: seededRandom(seed), lateMs, lateShare: 0.5, to: NOON + 20_000, hostile: 0 });
        for (const type of ['DEVICE_ANALYTICS_START', 'DEVICE_ANALYTICS_STOP']) {
          const written = events.filter((event) => event.type === type);
          for (const order of [written, [...written].sort((a, b) => a.at - b.at)]) {
            for (const zone of ZONES) {
              let inside = 0;
              for (const [where, change] of order.flatMap((event) => effects(nameOf(event)))) {
                if (where === zone) inside += change;
                expect(inside).toBeGreaterThanOrEqual(0);
              }
              expect(inside).toBe(truth.zones[zone].occupancy);
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('may go below 0 when told so, and are floored step by step', () => {
    const { truth } = make({ mayGoBelowZero: true, count: 2000 });
    expect(Object.values(truth.zones).some(({ entries, exits, occupancy }) => occupancy > entries - exits)).toBe(true);
  });

  it('lie within the time asked for and come in the order of writing', () => {
    const { events } = make({ lateMs: 3000 });
    const written = events.map(({ at, writtenAt = at }) => writtenAt);
    expect(written).toEqual([...written].sort((a, b) => a - b));
    for (const { at, writtenAt = at } of events) {
      expect(at).toBeGreaterThanOrEqual(NOON);
      expect(at).toBeLessThan(NOON + 600_000);
      expect(writtenAt).toBeGreaterThanOrEqual(at);
    }
    expect(events.some(({ writtenAt }) => writtenAt !== undefined)).toBe(true);
    expect(make().events.some(({ writtenAt }) => writtenAt !== undefined)).toBe(false);
  });

  it('have bursts within a millisecond, hostile names and other events', () => {
    const { events } = make({ burst: 0.5, hostile: 0.5, count: 1000, noise: 1 });
    const stops = events.filter(({ type }) => type === 'DEVICE_ANALYTICS_STOP');
    expect(new Set(stops.map(({ at }) => at)).size).toBeLessThan(700);
    for (const name of HOSTILE_NAMES) expect(stops.some(({ fields }) => fields!.analyticEventName === name)).toBe(true);
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(['DEVICE_ANALYTICS_START', 'DEVICE_ANALYTICS_STOP', 'DEVICE_MOTION_START', 'DEVICE_MOTION_STOP', 'USER_LOGIN', 'USER_LOGIN_FAILURE']),
    );
  });

  it('stay with the cameras and servers asked for', () => {
    const [, second] = site.servers;
    expect(new Set(make({ servers: [second!.id] }).events.map(({ serverId }) => serverId))).toEqual(new Set([second!.id]));
    const only = site.cameras[0]!;
    const cameras = new Set(make({ cameras: [only], noise: 0 }).events.map(({ fields }) => fields!.cameraId));
    expect(cameras).toEqual(new Set([only.id]));
    expect(() => make({ cameras: [only], servers: [second!.id] })).toThrow(RangeError);
  });

  it('are the same for the same numbers', () => {
    expect(make({ lateMs: 1000 })).toEqual(make({ lateMs: 1000 }));
  });
});

describe('with a server', () => {
  let server: AvigilonServer;
  afterEach(() => server.close());

  it('every crossing is found once, linked to its other half', async () => {
    const clock = new ManualClock(NOON + 900_000);
    server = await startAvigilonServer({ clock, site, maxLimit: 97 });
    const { events, truth } = make({ lateMs: 5000 });
    server.controls.record(events);
    const client = new PlainClient(server.apiUrl, () => clock.now());
    await client.login();
    const found: WepEvent[] = [];
    for (const { id } of site.servers) {
      const range = { serverId: id, from: new Date(NOON).toISOString(), to: new Date(NOON + 600_000).toISOString() };
      const mine = (await client.searchAll(range)).events;
      const byId = new Map(mine.map((event) => [event.thisId, event]));
      expect(byId.size).toBe(mine.length);
      for (const event of mine) if (event.linkedEventId) expect(byId.get(event.linkedEventId)!.linkedEventId).toBe(event.thisId);
      found.push(...mine);
    }
    expect(found).toHaveLength(events.length);
    expect(found.filter(({ type }) => type === 'DEVICE_ANALYTICS_STOP')).toHaveLength(truth.stops);
  });

  it('a live scene goes on until it is stopped, and counts right', async () => {
    const clock = new ManualClock(NOON);
    server = await startAvigilonServer({ clock, site });
    const scene = liveScene(server, { clock });
    for (let second = 0; second < 300; second += 1) clock.advance(1000);
    scene.stop();
    expect(clock.waiting).toBe(0);
    const client = new PlainClient(server.apiUrl, () => clock.now());
    await client.login();
    const inside = Object.fromEntries(ZONES.map((zone) => [zone, 0])) as Record<Zone, number>;
    let stops = 0;
    for (const { id } of site.servers) {
      const range = { serverId: id, from: new Date(NOON).toISOString(), to: new Date(clock.now() + 1).toISOString(), eventTopics: ['DEVICE_ANALYTICS_STOP'] };
      for (const { analyticEventName } of (await client.searchAll(range)).events) {
        stops += 1;
        for (const [zone, change] of effects(String(analyticEventName))) inside[zone] += change;
      }
    }
    expect(inside).toEqual(scene.inside);
    expect(Object.values(inside).every((count) => count > 0)).toBe(true);
    expect(stops).toBeGreaterThan(200);
  });
});
