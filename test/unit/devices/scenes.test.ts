import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../devices/dahua/capture';
import { demoScene, type SceneClock } from '../../devices/dahua/demo-scene';
import { eventBody, type DahuaEvent } from '../../devices/dahua/framing';
import { AWKWARD_NAMES, NAME_BYTES, oneOfEach, Scenes, type SceneOptions } from '../../devices/dahua/scenes';
import { seededRandom } from '../../devices/seeded-random';

const NOON = Date.UTC(2024, 0, 30, 12, 0, 0, 250);
const scenes = (time: SceneOptions['time'] = {}): Scenes => new Scenes({ clock: { now: () => NOON }, random: seededRandom(7), time });
const dataOf = (event: DahuaEvent): Record<string, unknown> => {
  const line = eventBody(event).toString();
  return JSON.parse(line.slice(line.indexOf(';data=') + 6)) as Record<string, unknown>;
};

describe('scenes', () => {
  it('are the same for the same seed and clock', () => {
    expect(oneOfEach(scenes()).map((event) => eventBody(event).toString('latin1'))).toEqual(
      oneOfEach(scenes()).map((event) => eventBody(event).toString('latin1')),
    );
  });

  it('keep every box on the grid of 8192 and its corners in order', () => {
    const maker = scenes();
    for (let turn = 0; turn < 200; turn += 1) {
      const { Object: seen } = dataOf(maker.crossLine('Start')) as { Object: { BoundingBox: [number, number, number, number] } };
      const [left, top, right, bottom] = seen.BoundingBox;
      expect(left < right && top < bottom && left >= 0 && top >= 0 && right <= 8191 && bottom <= 8191).toBe(true);
    }
  });

  it('keep the ids of a track over Start and Stop', () => {
    const maker = scenes();
    const track = maker.track('Human');
    const [start, stop] = [dataOf(maker.crossLine('Start', 0, track)), dataOf(maker.crossLine('Stop', 0, track))];
    expect(stop.GroupID).toBe(start.GroupID);
    expect(stop.EventID).not.toBe(start.EventID);
  });

  it('write the time as facts A4 describe', () => {
    const wall = { utc: 'wall-clock', offsetMinutes: 420, localeTime: true, realUtc: true } as const;
    const utc = Math.floor(NOON / 1000);
    expect(dataOf(scenes().crossLine('Start'))).toMatchObject({ UTC: utc, UTCMS: 250 });
    expect(dataOf(scenes(wall).crossLine('Start'))).toMatchObject({ UTC: utc + 25_200, RealUTC: utc, LocaleTime: '2024-01-30 19:00:00' });
    expect(eventBody(scenes({ float: true }).crossLine('Start')).toString()).toContain(`"UTC" : ${utc}.0,`);
  });

  it('survive awkward names', () => {
    for (const name of AWKWARD_NAMES) {
      const maker = scenes();
      expect(dataOf(maker.crossLine('Start', 0, maker.track('Human'), name)).Name).toBe(name);
    }
  });

  it('put names in the charset asked for', () => {
    const data = (name: Buffer): Buffer => scenes().namedInBytes(name).data as Buffer;
    expect(new TextDecoder('gb18030').decode(data(NAME_BYTES.gb18030))).toContain('"Name" : "东门"');
    expect(data(NAME_BYTES.latin1).toString('latin1')).toContain('"Name" : "Câmara"');
    expect(() => new TextDecoder('utf-8', { fatal: true }).decode(data(NAME_BYTES.latin1))).toThrow();
    expect(data(NAME_BYTES.utf8).toString()).toContain('"Name" : "Câmara"');
  });

  it('wrap an event whole in NewFile, with the plate in the file name', () => {
    const maker = scenes();
    const car = maker.trafficJunction(2, '1234AEI');
    const file = dataOf(maker.newFile(car, '1234AEI'));
    expect(file).toMatchObject({ Event: 'TrafficJunction', Index: 2, Data: dataOf(car) });
    expect(file.File).toContain('/1234AEI-20240130120000-plate.jpg');
  });

  it('cut JSON off', () => {
    expect(() => dataOf(scenes().truncated(scenes().crossLine('Start')))).toThrow(SyntaxError);
  });
});

describe('the demonstration', () => {
  /** A clock that jumps from timer to timer. */
  class JumpingClock implements SceneClock {
    time = NOON;
    readonly timers = new Set<{ at: number; run: () => void }>();
    now(): number {
      return this.time;
    }
    after(ms: number, run: () => void): { cancel(): void } {
      const timer = { at: this.time + ms, run };
      this.timers.add(timer);
      return { cancel: () => this.timers.delete(timer) };
    }
    advance(ms: number): void {
      for (const end = this.time + ms; ; ) {
        const next = [...this.timers].sort((a, b) => a.at - b.at)[0];
        if (!next || next.at > end) return;
        this.timers.delete(next);
        this.time = next.at;
        next.run();
      }
    }
  }

  const minute = (seed: number): DahuaEvent[] => {
    const clock = new JumpingClock();
    const seen: DahuaEvent[] = [];
    const stop = demoScene({ emit: (event) => seen.push(event) }, { clock, random: seededRandom(seed), channels: 2 });
    clock.advance(60_000);
    stop();
    expect(clock.timers.size).toBe(0);
    return seen;
  };

  it('plays a busy minute, alike for the same seed', () => {
    const seen = minute(3);
    expect(seen.length).toBeGreaterThan(60);
    expect(new Set(seen.map((event) => event.code)).size).toBeGreaterThan(7);
    expect(minute(3)).toEqual(seen);
  });

  it('lets nothing stop that has not started', () => {
    const open = new Map<string, number>();
    for (const { code, action, index } of minute(11)) {
      const key = `${code}/${index ?? ''}`;
      const count = (open.get(key) ?? 0) + (action === 'Start' ? 1 : action === 'Stop' ? -1 : 0);
      expect(count).toBeGreaterThanOrEqual(0);
      open.set(key, count);
    }
  });
});

const captures = resolve(__dirname, '../../../../shared/captures/dahua');
describe.skipIf(!existsSync(captures))('capture files (skipped where they are absent)', () => {
  it('lose their header lines and nothing else', () => {
    expect(readCapture(`${captures}/22-amcrest-2016-spaced-boundary-noblank.txt`).toString()).toMatch(/^-- myboundary\n/);
    expect(readCapture(`${captures}/reconstructed/22-wire.bin`).toString()).toMatch(/^-- myboundary\r\n/);
  });
});
