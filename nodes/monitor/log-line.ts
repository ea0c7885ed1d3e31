/** What `event-log` writes: the line of a camera event, of a connection change, or of any message by the user's template. */
import { z } from 'zod';
import { asCameraEvent, type CameraEvent } from '../kit/camera-event';
import type { ConnectionState } from '../kit/connection';
import { compileTemplate, type View } from '../kit/template';

export const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
export type Level = (typeof LEVELS)[number];

/** A message as the log sees it. */
export interface Entry {
  level: Level;
  /** Every value that a path or line template may name. */
  view: View;
  /** Undefined in the `template` format, where the user says what a line is. */
  payload: CameraEvent | ConnectionEntry | undefined;
}

interface ConnectionEntry {
  device: string;
  connection: ConnectionState;
}

const connectionSchema = z.object({
  state: z.enum(['connecting', 'connected', 'disconnected', 'blocked', 'stopped']),
  since: z.string(),
});

const EVENT_LINE = compileTemplate(
  '{{now|local-iso}} {{level}} EVENTO!!! {{code}} [{{action|title}}] ch={{index}} ts={{time|local}} payload={{line|json}}',
);
const CONNECTION_LINE = compileTemplate('{{now|local-iso}} {{level}} {{device}} {{state}} {{reason.code}} {{reason.text}}');

/**
 * Reads a message for the log.
 * @param free the format `template`: any payload will do
 * @throws CodedError NOT_A_CAMERA_EVENT for a payload that is neither an event nor a connection change
 */
export function entryOf(msg: object, free: boolean): Entry {
  const { payload, level, topic } = msg as { payload?: unknown; level?: unknown; topic?: unknown };
  const given = LEVELS.find((known) => typeof level === 'string' && known === level.toUpperCase());
  const state = connectionSchema.safeParse(payload);
  if (state.success) {
    const connection = payload as ConnectionState;
    const device = typeof topic === 'string' ? topic.replace(/^[^/]*\/|\/connection$/g, '') : 'device';
    return {
      level: given ?? levelOf(connection),
      view: view(msg, { ...connection, device, now: Date.now(), level: given ?? levelOf(connection) }),
      payload: { device, connection },
    };
  }
  if (free) {
    return { level: given ?? 'INFO', view: view(msg, { ...record(payload), now: Date.now(), level: given ?? 'INFO' }), payload: undefined };
  }
  const event = asCameraEvent(payload);
  return { level: given ?? 'INFO', view: view(msg, eventView(event, given ?? 'INFO')), payload: event };
}

/** The entry as a readable line. */
export const textLine = (entry: Entry): string =>
  (entry.payload && 'connection' in entry.payload ? CONNECTION_LINE : EVENT_LINE).render(entry.view).trimEnd();

/** The entry as one JSON object. */
export const jsonLine = (entry: Entry): string => JSON.stringify(entry.payload);

function levelOf({ state }: ConnectionState): Level {
  if (state === 'connecting') return 'DEBUG';
  return state === 'disconnected' || state === 'blocked' ? 'WARNING' : 'INFO';
}

function eventView(event: CameraEvent, level: Level): Record<string, unknown> {
  const { code, device, channel, input, data, raw } = event;
  const index = channel ?? input;
  return {
    ...event,
    level,
    now: event.receivedAt,
    device: device.id,
    index,
    line: { Code: code, action: capital(event.action), index, ...(raw === undefined ? { data } : { raw }) },
  };
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** `{{code}}` from the entry's own values, `{{msg.delay}}` or `{{payload.x}}` from the message. */
function view(msg: object, values: Record<string, unknown>): View {
  return (path) => {
    const [first = '', ...rest] = path.split('.');
    const root: unknown = first === 'msg' ? msg : Object.hasOwn(values, first) ? values[first] : record(msg)[first];
    return rest.reduce<unknown>((value, key) => (Object.hasOwn(record(value), key) ? record(value)[key] : undefined), root);
  };
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
