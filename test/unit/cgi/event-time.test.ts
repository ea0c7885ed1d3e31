import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventTime } from '../../../nodes/cgi/event-time';

const HOUR = 3_600_000;
const received = Date.UTC(2026, 5, 1, 20, 22, 3);
const seconds = (ms: number) => Math.trunc(ms / 1000);
const wall = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

describe('which clock is believed', () => {
  test('RealUTC, before a UTC that is the wall clock', () => {
    expect(eventTime({ UTC: 1706625295, RealUTC: 1706600095, UTCMS: 120, LocaleTime: '2024-01-30 14:34:55' }, received)).toEqual({
      at: 1706600095_120,
      source: 'device',
    });
  });

  test('UTC where LocaleTime differs from it by a zone, however old', () => {
    expect(eventTime({ UTC: 1548929098.0, LocaleTime: '2019-01-31 18:04:58' }, received)).toEqual({ at: 1548929098_000, source: 'device' });
  });

  test('UTC that equals LocaleTime and the time of receipt: a device in UTC', () => {
    expect(eventTime({ UTC: seconds(received), LocaleTime: wall(received) }, received)).toMatchObject({ source: 'device' });
  });

  test('UTC that equals LocaleTime and is an hour ahead of receipt: the wall clock, corrected by that hour', () => {
    const data = { UTC: seconds(received + HOUR), LocaleTime: wall(received + HOUR + 1000), UTCMS: 945 };
    expect(eventTime(data, received)).toEqual({ at: received + 945, source: 'device-local' });
  });

  test('UTC alone, minutes off: drift, not a zone', () => {
    expect(eventTime({ UTC: seconds(received) - 48 }, received)).toEqual({ at: received - 48_000, source: 'device' });
  });

  test('LocaleTime alone: the zone is what makes it near to receipt', () => {
    expect(eventTime({ LocaleTime: wall(received - 5 * HOUR) }, received)).toEqual({ at: received, source: 'device-local' });
  });

  test.each([
    ['nothing at all', {}],
    ['a clock at its factory date', { UTC: 947510337 }],
    ['a clock that is years off', { UTC: 1648220571, UTCMS: 893 }],
    ['a clock off by no whole quarter hour', { UTC: seconds(received) + 7 * 60 }],
    ['text', { UTC: 'now', LocaleTime: 'today' }],
    ['a date that is none', { LocaleTime: '9999-99-99 99:99:99' }],
    ['numbers beyond any date', { UTC: 1e308, RealUTC: -1, UTCMS: 5000 }],
  ])('the time of receipt for %s', (_, data) => {
    expect(eventTime(data, received)).toEqual({ at: received, source: 'received' });
  });
});

test('the true instant comes out of every zone and both conventions, to within drift and delay', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -12 * 4, max: 14 * 4 }),
      fc.integer({ min: -120, max: 120 }),
      fc.boolean(),
      fc.boolean(),
      (quarters, driftSeconds, wallClock, locale) => {
        const zone = quarters * 15 * 60_000;
        const clock = received + driftSeconds * 1000;
        const data = { UTC: seconds(clock + (wallClock ? zone : 0)), ...(locale ? { LocaleTime: wall(clock + zone) } : {}) };
        const { at, source } = eventTime(data, received);
        expect(at).toBe(clock);
        expect(source).toBe(wallClock && quarters !== 0 ? 'device-local' : 'device');
      },
    ),
  );
});

test('never throws and always gives a date', () => {
  const anything = fc.dictionary(fc.constantFrom('UTC', 'RealUTC', 'UTCMS', 'LocaleTime', 'x'), fc.anything());
  fc.assert(
    fc.property(anything, (data) => {
      expect(() => new Date(eventTime(data, received).at).toISOString()).not.toThrow();
    }),
  );
});
