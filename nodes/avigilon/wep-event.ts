/** From an event of the Web Endpoint to the pack's CameraEvent (facts/avigilon-een.md A4). */
import { createHash } from 'node:crypto';
import type { CameraDevice, CameraEvent } from '../kit/camera-event';

/** As the server sends it: any field may be missing or null, and some change type between events (facts A9.11). */
export type WepEvent = Record<string, unknown>;

/** What is known of a camera beyond its id. */
export type CameraLookup = (id: string) => Omit<CameraDevice, 'id'> | undefined;

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);

/** @param receivedAt ms since 1970 */
export function toCameraEvent(event: WepEvent, receivedAt: number, camera: CameraLookup): CameraEvent {
  const at = timeOf(event);
  const received = new Date(receivedAt).toISOString();
  const code = text(event.type) ?? 'UNKNOWN';
  return {
    id: eventId(event),
    source: 'avigilon',
    device: deviceOf(event, camera),
    channel: null,
    code,
    action: actionOf(code),
    time: at === undefined ? received : new Date(at).toISOString(),
    timeSource: at === undefined ? 'received' : 'device',
    receivedAt: received,
    data: event,
  };
}

/** When it happened by the server's clock, ms since 1970. */
export function timeOf({ timestamp }: WepEvent): number | undefined {
  const at = typeof timestamp === 'string' ? Date.parse(timestamp) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

const IDENTITY = ['originatingServerId', 'timestamp', 'type', 'originatingEventId', 'thisId'] as const;

/** The same for an event polled, polled again in an overlap, or pushed. A server may restart its numbering, hence the time (facts E). */
export function eventId(event: WepEvent): string {
  const numbered = text(event.thisId) ?? text(event.originatingEventId);
  const parts = numbered === undefined ? [event] : IDENTITY.map((name) => text(event[name]) ?? '');
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** Events of digital inputs name their cameras in a list, those of users and servers name none. */
function deviceOf(event: WepEvent, camera: CameraLookup): CameraDevice {
  const id = cameraOf(event) ?? text(event.entityId);
  if (id !== undefined) return { id, ...camera(id) };
  const server = text(event.originatingServerId) ?? 'unknown';
  const name = text(event.originatingServerName);
  return { id: server, ...(name === undefined ? {} : { name }) };
}

/** The camera that an event is of, if it is of one. */
export function cameraOf(event: WepEvent): string | undefined {
  const [first] = Array.isArray(event.cameraIds) ? (event.cameraIds as unknown[]) : [];
  return text(event.cameraId) ?? text(first);
}

/** The suffixes are not uniform. Only a plate's LOST ends something: a lost signal or connection is an occurrence of its own. */
const SUFFIXES: [RegExp, string][] = [
  [/_(START|STARTED|ON|FOUND)$/, 'start'],
  [/(_(STOP|STOPPED|OFF)|_PLATE_LOST)$/, 'stop'],
  [/_UPDATE$/, 'update'],
];

const actionOf = (code: string): string => SUFFIXES.find(([suffix]) => suffix.test(code))?.[1] ?? 'pulse';
