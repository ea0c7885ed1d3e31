/**
 * The one message that all sources send and all other nodes take: `msg.payload = CameraEvent`,
 * `msg.topic = source/device.id/code`. Function nodes and TypeScript users get it from the package root.
 */
import { z } from 'zod';
import { CodedError } from './errors';

const isoUtc = z.iso.datetime({ precision: 3, message: 'expected ISO 8601 in UTC with milliseconds' });

/** Who saw it. `id` is stable and is what keys, topics and file names are made of. */
export const deviceSchema = z.object({
  id: z.string().min(1),
  name: z.string().optional(),
  serial: z.string().optional(),
  address: z.string().optional(),
});

export const cameraEventSchema = z.object({
  /** The same occurrence read twice (replay, overlap, reconnect) has the same id; at most 64 ASCII characters. */
  id: z.string().min(1).max(64),
  source: z.enum(['avigilon', 'cgi', 'hanwha', 'een']),
  device: deviceSchema,
  /** As the device numbers it in its events (0-based for CGI); null where the event is of no channel. */
  channel: z.number().int().nullable(),
  /** The vendor's own event name. */
  code: z.string().min(1),
  /** start, stop, pulse, state, update, or another word of the vendor's in lower case. */
  action: z.string().min(1),
  /** Alarm events: the input, where the device does not mean a video channel. */
  input: z.number().int().optional(),
  /** When it happened. */
  time: isoUtc,
  /** How far `time` can be trusted: the device's true time, its local clock corrected, or only our receive time. */
  timeSource: z.enum(['device', 'device-local', 'received']),
  receivedAt: isoUtc,
  /** The vendor's own fields, verbatim. */
  data: z.record(z.string(), z.unknown()),
  /** Only where `data` could not be parsed whole. */
  raw: z.string().optional(),
  family: z.enum(['EVD', 'CROWD', 'UNKNOWN']).optional(),
});

export type CameraEvent = z.infer<typeof cameraEventSchema>;
export type CameraDevice = z.infer<typeof deviceSchema>;

export const topicOf = (event: CameraEvent): string => `${event.source}/${event.device.id}/${event.code}`;

/**
 * The payload as a CameraEvent.
 * @throws CodedError NOT_A_CAMERA_EVENT that names the first field that is missing or wrong
 */
export function asCameraEvent(payload: unknown): CameraEvent {
  const parsed = cameraEventSchema.safeParse(payload);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = ['msg.payload', ...(issue?.path ?? [])].join('.');
  throw new CodedError('NOT_A_CAMERA_EVENT', `${where}: ${issue?.message ?? 'not a CameraEvent'}`);
}
