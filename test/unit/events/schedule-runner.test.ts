import { describe, expect, test } from 'vitest';
import { Schedule, parseSchedule, type ScheduleOptions } from '../../../nodes/events/schedule';
import { ScheduleRunner } from '../../../nodes/events/schedule-runner';
import { ManualClock } from '../support/manual-clock';

const HOUR = 3_600_000;

/** The wall clock can be set while monotonic time and timers go on. */
class SettableClock extends ManualClock {
  #shift = 0;

  override now(): number {
    return super.now() + this.#shift;
  }

  set(to: string): void {
    this.#shift += Date.parse(to) - this.now();
  }
}

const event = (nombre: string, hora_inicio: string, hora_fin: string): object => ({ nombre, hora_inicio, hora_fin });
const schedule = (file: object, options: Partial<ScheduleOptions> = {}): Schedule =>
  new Schedule(parseSchedule(JSON.stringify(file)), { timeZone: 'America/Bogota', lead: 0, tail: 0, ...options });

const NIGHT = schedule({ '2026-01-20': [event('Match', '16:00', '18:00'), event('Concert', '22:00', '01:00')] });

function run(now: string, first: Schedule = NIGHT) {
  const clock = new SettableClock(Date.parse(now));
  /** `time word name`, to the millisecond. */
  const said: string[] = [];
  const states: (string | undefined)[][] = [];
  const say = (word: string) => ({ name }: { name: string }) => said.push(`${new Date(clock.now()).toISOString()} ${word} ${name}`);
  const runner = new ScheduleRunner({
    clock,
    started: say('start'),
    stopped: say('stop'),
    changed: (running, next) => states.push([running?.name, next?.name]),
  });
  runner.follow(first);
  return { clock, runner, said, states };
}

test('starts and stops to the millisecond, across midnight', () => {
  const { clock, said, states } = run('2026-01-20T12:34:56.789Z');
  clock.advance(48 * HOUR);
  expect(said).toEqual([
    '2026-01-20T21:00:00.000Z start Match',
    '2026-01-20T23:00:00.000Z stop Match',
    '2026-01-21T03:00:00.000Z start Concert',
    '2026-01-21T06:00:00.000Z stop Concert',
  ]);
  expect(states).toEqual([
    [undefined, 'Match'],
    ['Match', 'Concert'],
    [undefined, 'Concert'],
    ['Concert', undefined],
    [undefined, undefined],
  ]);
});

test('starts at once in the middle of an event, with the beginning of the event', () => {
  const clock = new ManualClock(Date.parse('2026-01-21T05:30:00Z'));
  const started: object[] = [];
  const runner = new ScheduleRunner({ clock, started: (one) => started.push(one), stopped: () => undefined, changed: () => undefined });
  runner.follow(NIGHT);
  expect(started).toMatchObject([{ name: 'Concert', from: Date.parse('2026-01-21T03:00:00Z'), to: Date.parse('2026-01-21T06:00:00Z') }]);
});

test('of two events without a pause the first is stopped before the second is started', () => {
  const { clock, said } = run('2026-01-20T12:00:00Z', schedule({ '2026-01-20': [event('A', '15:00', '16:00'), event('B', '16:00', '17:00')] }));
  clock.advance(10 * HOUR);
  expect(said.map((one) => one.slice(11, 19) + one.slice(24))).toEqual(['20:00:00 start A', '21:00:00 stop A', '21:00:00 start B', '22:00:00 stop B']);
});

test('finds an event that is months away, with one timer at a time', () => {
  const { clock, said } = run('2026-01-21T12:00:00Z', schedule({ '2026-06-01': event('Far', '15:00', '16:00') }));
  for (let day = 0; day < 140; day++) {
    clock.advance(24 * HOUR);
    expect(clock.waiting).toBe(1);
  }
  expect(said).toEqual(['2026-06-01T20:00:00.000Z start Far', '2026-06-01T21:00:00.000Z stop Far']);
});

test('a timer that fires a little early starts nothing early, and nothing is missed', () => {
  const { clock, said } = run('2026-01-20T20:59:50.000Z');
  clock.set('2026-01-20T20:59:49.999Z');
  clock.advance(10_000);
  expect(said).toEqual([]);
  clock.advance(1);
  expect(said).toEqual(['2026-01-20T21:00:00.000Z start Match']);
});

describe('a wall clock that is set, or a machine that slept', () => {
  test('into an event: started within 30 seconds', () => {
    const { clock, said } = run('2026-01-20T12:00:00.000Z');
    clock.set('2026-01-20T21:30:00Z');
    clock.advance(30_000);
    expect(said).toEqual(['2026-01-20T21:30:30.000Z start Match']);
  });

  test('out of an event into another', () => {
    const { clock, said } = run('2026-01-20T22:00:00.000Z');
    clock.set('2026-01-21T04:00:00Z');
    clock.advance(30_000);
    expect(said.slice(1).map((one) => one.slice(25))).toEqual(['stop Match', 'start Concert']);
  });

  test('back before the event', () => {
    const { clock, said } = run('2026-01-20T22:00:00.000Z');
    clock.set('2026-01-20T20:00:00Z');
    clock.advance(30_000);
    clock.advance(HOUR);
    expect(said.map((one) => one.slice(25))).toEqual(['start Match', 'stop Match', 'start Match']);
  });

  test('past an event without running it: the next one is shown', () => {
    const { clock, said, states } = run('2026-01-20T12:00:00.000Z');
    clock.set('2026-01-21T00:00:00Z');
    clock.advance(30_000);
    expect(said).toEqual([]);
    expect(states.at(-1)).toEqual([undefined, 'Concert']);
  });
});

describe('another schedule in mid-event', () => {
  const edited = (...events: object[]): Schedule => schedule({ '2026-01-20': events });

  test('with the same event in it changes nothing', () => {
    const { runner, said, states } = run('2026-01-20T22:00:00.000Z');
    runner.follow(edited(event('Match', '16:00', '18:00'), event('Concert', '23:00', '01:00')));
    expect(said).toHaveLength(1);
    expect(states).toHaveLength(2);
  });

  test('with another end starts it anew, without a stop, and stops it at that end', () => {
    const { clock, runner, said } = run('2026-01-20T22:00:00.000Z');
    runner.follow(edited(event('Match', '16:00', '19:30')));
    clock.advance(5 * HOUR);
    expect(said).toEqual([
      '2026-01-20T22:00:00.000Z start Match',
      '2026-01-20T22:00:00.000Z start Match',
      '2026-01-21T00:30:00.000Z stop Match',
    ]);
  });

  test.each([
    ['without it', [], ['stop Match']],
    ['with an end that is over', [event('Match', '16:00', '16:30')], ['stop Match']],
    ['with another name', [event('Final', '16:00', '18:00')], ['stop Match', 'start Final']],
    ['with another start', [event('Match', '15:00', '18:00')], ['stop Match', 'start Match']],
  ])('%s', (_, events, expected) => {
    const { clock, runner, said } = run('2026-01-20T22:00:00.000Z');
    runner.follow(edited(...events));
    expect(said.slice(1).map((one) => one.slice(25))).toEqual(expected);
    expect(clock.waiting).toBe(1);
  });
});

test('closed, it leaves no timer', () => {
  const { clock, runner } = run('2026-01-20T12:00:00.000Z');
  runner.close();
  expect(clock.waiting).toBe(0);
});
