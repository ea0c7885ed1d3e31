import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Backoff } from '../../../nodes/kit/backoff';
import { pause } from '../../../nodes/kit/clock';
import { LoginGate, loginGate } from '../../../nodes/kit/login-gate';
import { Watchdog } from '../../../nodes/kit/watchdog';
import { ManualClock } from '../support/manual-clock';

const MINUTE = 60_000;

test('no wait is above min(max, base^n) or in a hot loop', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1.1, max: 10, noNaN: true }),
      fc.integer({ min: 1, max: 3600 }),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 30 }),
      (base, max, chances) => {
        let turn = 0;
        const backoff = new Backoff({ base, max }, () => chances[turn++]!);
        chances.forEach((_, failure) => {
          const wait = backoff.next();
          expect(wait).toBeGreaterThanOrEqual(100);
          expect(wait).toBeLessThanOrEqual(Math.ceil(Math.min(max, base ** (failure + 1)) * 1000));
        });
      },
    ),
  );
});

test('a pause ends at its time, or at once when it is aborted, and leaves no timer', async () => {
  const clock = new ManualClock();
  const over: string[] = [];
  const abort = new AbortController();
  const first = pause(clock, 100, new AbortController().signal).then(() => over.push('time'));
  const second = pause(clock, 1e9, abort.signal).then(() => over.push('abort'));
  await Promise.resolve();
  expect(over).toEqual([]);
  clock.advance(100);
  await first;
  abort.abort();
  await second;
  await pause(clock, 100, abort.signal);
  expect(over).toEqual(['time', 'abort']);
  expect(clock.waiting).toBe(0);
});

test('a watchdog barks once, its limit after the last feeding', () => {
  const clock = new ManualClock();
  const barks: number[] = [];
  const dog = new Watchdog(clock, 15_000, () => barks.push(clock.monotonic()));
  clock.advance(14_000);
  dog.feed();
  clock.advance(14_999);
  expect(barks).toEqual([]);
  clock.advance(1e6);
  expect(barks).toEqual([29_000]);
  const stopped = new Watchdog(clock, 10, () => barks.push(-1));
  stopped.stop();
  clock.advance(100);
  expect(barks).toHaveLength(1);
});

describe('login gate', () => {
  test('the third refusal in a row closes it for half an hour', () => {
    const clock = new ManualClock();
    const gate = new LoginGate(clock);
    expect(gate.refused()).toEqual({ kind: 'refused', left: 2 });
    expect(gate.refused()).toEqual({ kind: 'refused', left: 1 });
    expect(gate.refused()).toEqual({ kind: 'blocked', forMs: 30 * MINUTE });
    clock.advance(30 * MINUTE - 1);
    expect(gate.blockedForMs).toBe(1);
    clock.advance(1);
    expect(gate.blockedForMs).toBe(0);
  });

  test('a login that works in between starts the count anew, and within the hour means busy', () => {
    const clock = new ManualClock();
    const gate = new LoginGate(clock);
    gate.refused();
    gate.refused();
    gate.accepted();
    clock.advance(59 * MINUTE);
    expect(gate.refused()).toEqual({ kind: 'busy', waitMs: 30_000, left: 2 });
    expect(gate.refused()).toEqual({ kind: 'busy', waitMs: 60_000, left: 1 });
    expect(gate.refused()).toMatchObject({ kind: 'blocked' });
    gate.accepted();
    clock.advance(61 * MINUTE);
    expect(gate.refused()).toMatchObject({ kind: 'refused' });
  });

  test('is the same for the same device and login, and another as soon as one of them differs', () => {
    const gate = loginGate('http://a', 'u', 'p');
    expect(loginGate('http://a', 'u', 'p')).toBe(gate);
    for (const other of [loginGate('http://b', 'u', 'p'), loginGate('http://a', 'v', 'p'), loginGate('http://a', 'u', 'q')]) {
      expect(other).not.toBe(gate);
    }
  });
});
