/**
 * When an event happened (facts/dahua-hanwha.md A4, A11). `UTC` is not reliably UTC: many devices write their wall clock as if
 * it were. So: `RealUTC` is believed; `UTC` is compared with `LocaleTime` and with the time of receipt, and corrected only
 * by whole quarter hours, which is what time zones are made of.
 */
import type { CameraEvent } from '../kit/camera-event';

export interface EventTime {
  /** ms since 1970 */
  at: number;
  source: CameraEvent['timeSource'];
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const QUARTER = 15 * MINUTE;
/** No zone is further from UTC. */
const WIDEST_ZONE = 14 * 60 * MINUTE;
/** Clocks drift, and events take a while to arrive. */
const TOLERANCE = 5 * MINUTE;
/** Two times in one event are written together. */
const SAME_EVENT_TOLERANCE = 2 * MINUTE;
/** Before this the clock was never set: devices start in 2000 or 1970. */
const NEVER_SET_BEFORE = Date.UTC(2010, 0, 1);

/** @param receivedAt ms since 1970 */
export function eventTime(data: Record<string, unknown>, receivedAt: number): EventTime {
  const millis = milliseconds(data.UTCMS);
  const real = clockTime(data.RealUTC);
  if (real !== undefined) return { at: real + millis, source: 'device' };

  const utc = clockTime(data.UTC);
  const local = localeTime(data.LocaleTime);
  if (utc === undefined) {
    const zone = local === undefined ? undefined : zoneOffset(local - receivedAt, TOLERANCE);
    if (local === undefined || zone === undefined) return { at: receivedAt, source: 'received' };
    return { at: local - zone, source: 'device-local' };
  }
  // LocaleTime differs by a zone: then UTC is what it says.
  const apart = local === undefined ? 0 : zoneOffset(local - utc, SAME_EVENT_TOLERANCE);
  if (apart) return { at: utc + millis, source: 'device' };

  const ahead = zoneOffset(utc - receivedAt, TOLERANCE);
  if (ahead === undefined) return { at: receivedAt, source: 'received' };
  return { at: utc - ahead + millis, source: ahead === 0 ? 'device' : 'device-local' };
}

/** The whole quarter hours nearest to a difference, if it is a zone's give or take the tolerance. */
function zoneOffset(difference: number, tolerance: number): number | undefined {
  const offset = Math.round(difference / QUARTER) * QUARTER;
  return Math.abs(offset) <= WIDEST_ZONE && Math.abs(difference - offset) <= tolerance ? offset : undefined;
}

/** Seconds since 1970, whole or with a fraction, of a clock that was set. */
function clockTime(value: unknown): number | undefined {
  const seconds = typeof value === 'string' ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined;
  const at = Math.round(seconds * SECOND);
  return at >= NEVER_SET_BEFORE && at <= 8.64e15 ? at : undefined;
}

function milliseconds(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < 1000 ? Math.trunc(value) : 0;
}

/** `YYYY-MM-DD HH:MM:SS` without a zone, read as if it were UTC. */
function localeTime(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(value)) return undefined;
  const at = Date.parse(`${value.slice(0, 19).replace(' ', 'T')}Z`);
  return Number.isNaN(at) || at < NEVER_SET_BEFORE ? undefined : at;
}
